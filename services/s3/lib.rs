//! Amazon S3. The protocol is `s3s`'s; what S3 does is here.
//!
//! Read in this order: `rows` (what lies where), `bucket` and `buckets` (configuration, in memory),
//! `object`, `version`, `history` (the versions of a key), `write` and `change` (the transactions),
//! `intake` and `outlet` (bytes in and out), `listing`, `multipart`, `notification`, then `ops/`
//! (one file per family of operations) and `http/` (the way of a request).
//!
//! Always true:
//! - An answered write is synced: bytes first, then the row that names them, with the events that
//!   it causes in the same transaction.
//! - Bytes that no row names are removed, at the latest at the next start.
//! - Every write checks in its transaction that the bucket's configuration is the one it read.

mod access;
mod bucket;
mod buckets;
mod change;
mod checksum;
mod conditions;
mod cors;
mod document;
mod error;
mod guard;
mod history;
mod http;
mod intake;
mod limits;
mod listing;
mod lock;
mod moment;
mod multipart;
mod notification;
mod object;
mod ops;
mod outlet;
mod policy;
mod ports;
mod readers;
mod rows;
mod tags;
mod told;
mod version;
mod write;

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use kit::{Clock, Millis};
use store::{BlobId, Store};

pub use crate::{
    access::{Permission, Subject, permissions},
    error::Error,
    http::{Body, Front, FrontSettings, Secrets},
};
use crate::{
    buckets::Buckets,
    multipart::Part,
    object::{Body as ObjectBody, Manifest, Object},
    readers::Readers,
};

/// Buckets and objects.
pub struct S3 {
    store: Store,
    bus: Arc<bus::Bus>,
    buckets: Buckets,
    readers: Readers,
    /// The last sequence number given to a version.
    sequence: AtomicU64,
}

impl S3 {
    /// Reads the buckets, removes bytes that no row names, and offers objects to other services.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn open(store: Store, bus: Arc<bus::Bus>, clock: Clock) -> Result<Arc<S3>, Error> {
        collect_orphans(&store).await?;
        let buckets = Buckets::open(store.clone()).await?;
        let sequence = AtomicU64::new(sequence_at(clock.now()));
        let s3 = Arc::new(S3 { store, bus, buckets, readers: Readers::default(), sequence });
        let port = Arc::new(ports::Port(Arc::downgrade(&s3)));
        s3.bus.directory().offer_policies("s3", port.clone());
        s3.bus.directory().offer_objects(port.clone());
        s3.bus.directory().offer_target("s3", port);
        Ok(s3)
    }

    /// A number greater than all before it.
    fn next_sequence(&self, now: Millis, behind: u64) -> u64 {
        let least = sequence_at(now).max(behind + 1);
        let next = |last: u64| Some(least.max(last + 1));
        let last = self.sequence.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        least.max(last.unwrap_or_else(|last| last) + 1)
    }
}

/// The least sequence number of a moment: milliseconds in the upper bits, so that numbers also rise
/// over starts.
fn sequence_at(moment: Millis) -> u64 {
    moment.0 << 16
}

/// Removes the bytes of uploads and deletions that an earlier run did not finish.
async fn collect_orphans(store: &Store) -> Result<(), Error> {
    use ::store::Key;
    let mut live: HashSet<BlobId> = HashSet::new();
    for table in ["s3/object", "s3/version"] {
        store.scan(&Key::table(table), |_, object: Object| note(&mut live, &object.body)).await?;
    }
    let manifests = Key::table("s3/manifest");
    store
        .scan(&manifests, |_, manifest: Manifest| {
            manifest.parts.iter().for_each(|part| note(&mut live, &part.body));
        })
        .await?;
    store.scan(&Key::table("s3/part"), |_, part: Part| note(&mut live, &part.body)).await?;
    let removed = store.blobs().collect_orphans(move |id| live.contains(&id)).await?;
    if removed > 0 {
        tracing::info!(removed, "orphaned blobs removed");
    }
    Ok(())
}

fn note(live: &mut HashSet<BlobId>, body: &ObjectBody) {
    if let ObjectBody::Blob(id) = body {
        live.insert(*id);
    }
}
