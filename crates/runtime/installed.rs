//! Runtimes that were installed: AWS's own base images, unpacked, with a record of each. A function
//! of such a runtime runs in the image's tree, on the runtime client that the image brings.
//!
//! In the runtime's folder: `installed/NAME.json` are the records, `images/` the trees. Whoever
//! installs writes the tree first and the record last; here both are only read.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use kit::ids;
use serde::{Deserialize, Serialize};

/// The record of an installed runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// `python3.13`.
    pub runtime: String,
    /// The image, as it was named.
    pub image: String,
    /// The same with the digest in place of a tag.
    pub resolved: String,
    /// SHA-256 of its manifest, lower-case hexadecimal; names its tree.
    pub digest: String,
    /// Digests of its layers.
    pub layers: Vec<String>,
    /// The image's variables.
    pub environment: BTreeMap<String, String>,
}

/// All installed runtimes of a data folder.
#[derive(Clone, Debug)]
pub struct Installations {
    folder: PathBuf,
}

impl Installations {
    /// In the runtime's own folder of the data folder, [`crate::Config::data`].
    pub fn new(folder: &Path) -> Installations {
        Installations { folder: folder.to_owned() }
    }

    /// Where the trees are; the folder of an `images::Images`.
    pub fn images(&self) -> PathBuf {
        self.folder.join("images")
    }

    /// The tree of an image.
    pub fn root(&self, digest: &str) -> PathBuf {
        self.images().join("roots").join(digest)
    }

    /// A runtime that is there, with its tree.
    pub fn find(&self, runtime: &str) -> Option<Installed> {
        // Most often there is none, and that is told without reading.
        let text = fs::read_to_string(self.record(runtime)).ok()?;
        let installed: Installed = serde_json::from_str(&text).ok()?;
        self.root(&installed.digest).is_dir().then_some(installed)
    }

    /// All of them, by name.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn all(&self) -> io::Result<Vec<Installed>> {
        let entries = match fs::read_dir(self.records()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let names = entries.flatten().map(|entry| entry.file_name());
        let mut found: Vec<Installed> =
            names.filter_map(|name| self.find(name.to_str()?.strip_suffix(".json")?)).collect();
        found.sort_by(|a, b| a.runtime.cmp(&b.runtime));
        Ok(found)
    }

    /// Makes a runtime known, or another image its own, durably.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn add(&self, installed: &Installed) -> io::Result<()> {
        fs::create_dir_all(self.records())?;
        let unfinished = self.records().join(format!("unfinished-{}", ids::hex::<8>()));
        let mut file = File::create(&unfinished)?;
        file.write_all(&serde_json::to_vec_pretty(installed)?)?;
        file.sync_all()?;
        fs::rename(&unfinished, self.record(&installed.runtime))?;
        File::open(self.records())?.sync_all()
    }

    /// Makes a runtime unknown; whether it was known. Its tree stays.
    ///
    /// # Errors
    /// The record cannot be removed.
    pub fn remove(&self, runtime: &str) -> io::Result<bool> {
        match fs::remove_file(self.record(runtime)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            removed => removed.map(|()| true),
        }
    }

    fn records(&self) -> PathBuf {
        self.folder.join("installed")
    }

    /// Names of runtimes hold no slash: Lambda has a list of them.
    fn record(&self, runtime: &str) -> PathBuf {
        self.records().join(format!("{}.json", runtime.replace('/', "_")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(runtime: &str, digest: &str) -> Installed {
        Installed {
            runtime: runtime.into(),
            image: "host/python:3.13".into(),
            resolved: format!("host/python@sha256:{digest}"),
            digest: digest.into(),
            layers: vec!["aa".into()],
            environment: BTreeMap::from([("LANG".into(), "C".into())]),
        }
    }

    #[test]
    fn a_runtime_is_there_with_its_tree_only() {
        let folder = tempfile::tempdir().unwrap();
        let installations = Installations::new(folder.path());
        assert_eq!(installations.all().unwrap(), []);
        let one = installed("python3.13", "ab");
        installations.add(&one).unwrap();
        assert_eq!(installations.find("python3.13"), None);
        fs::create_dir_all(installations.root("ab")).unwrap();
        assert_eq!(installations.find("python3.13"), Some(one.clone()));
        assert_eq!(installations.all().unwrap(), [one]);
        assert!(installations.remove("python3.13").unwrap());
        assert!(!installations.remove("python3.13").unwrap());
        assert_eq!(installations.find("python3.13"), None);
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let installations = Installations::new(folder.path());
        assert!(installations.record("../../x").starts_with(folder.path().join("installed")));
        assert!(!installations.record("../../x").to_string_lossy().contains("/../"));
    }
}
