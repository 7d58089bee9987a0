//! Who reads objects of several parts. Their files are opened one after the other, so a deletion
//! must wait for the readers; a single file stays readable once it is open.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use store::{BlobId, Blobs};

/// Readers by manifest.
#[derive(Clone, Default)]
pub(crate) struct Readers(Arc<Mutex<HashMap<String, Read>>>);

/// One manifest that is read.
#[derive(Default)]
struct Read {
    readers: usize,
    /// What its last reader removes.
    doomed: Vec<BlobId>,
}

/// A reader, from before it looks for the manifest until it has read the last byte.
pub(crate) struct Reader {
    readers: Readers,
    blobs: Blobs,
    manifest: String,
}

impl Readers {
    /// Begins to read. Only a manifest that is found afterwards is safe: whoever removes it later
    /// leaves its bytes to this reader.
    pub(crate) fn begin(&self, blobs: &Blobs, manifest: &str) -> Reader {
        self.lock().entry(manifest.to_owned()).or_default().readers += 1;
        Reader { readers: self.clone(), blobs: blobs.clone(), manifest: manifest.to_owned() }
    }

    /// Leaves the bytes of a removed manifest to its readers; gives them back if there are none.
    pub(crate) fn leave(&self, manifest: &str, bytes: Vec<BlobId>) -> Vec<BlobId> {
        match self.lock().get_mut(manifest) {
            Some(read) => {
                read.doomed.extend(bytes);
                Vec::new()
            }
            None => bytes,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Read>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut all = self.readers.lock();
        let Some(read) = all.get_mut(&self.manifest) else { return };
        read.readers -= 1;
        if read.readers > 0 {
            return;
        }
        let doomed = all.remove(&self.manifest).map(|read| read.doomed).unwrap_or_default();
        drop(all);
        for id in doomed {
            // What this leaves behind, the next start removes.
            let _ = std::fs::remove_file(self.blobs.path(id));
        }
    }
}
