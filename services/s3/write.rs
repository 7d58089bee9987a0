//! Writing, deleting and amending versions. Every transaction checks the rows that it was decided
//! on; when one has changed it is decided anew.

use std::sync::Arc;

use kit::Caller;
use store::{Batch, BlobId, Check, Key};

use crate::{
    Error, S3,
    bucket::{Bucket, Versioning},
    change::Change,
    conditions::WriteConditions,
    history::{Place, Stored},
    intake::Unnamed,
    limits,
    lock::{self, Bypass},
    notification::{self, Event, EventName},
    object::Object,
    rows, version,
};

/// A new version on its way.
pub(crate) struct Write {
    pub(crate) place: Place,
    /// All but version, sequence number and what the bucket's configuration adds.
    pub(crate) object: Object,
    pub(crate) conditions: WriteConditions,
    pub(crate) event: EventName,
    /// What else the transaction does: removes the upload that the version completes.
    pub(crate) also: Batch,
    /// Bytes that go with that.
    pub(crate) garbage: Vec<BlobId>,
    /// Its bytes.
    pub(crate) bytes: Unnamed,
}

/// What a deletion did.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Deleted {
    /// The version that was removed, or the delete marker that was made.
    pub(crate) version: Option<String>,
    pub(crate) delete_marker: bool,
}

impl S3 {
    /// Makes a new version the latest one.
    pub(crate) async fn write(
        self: &Arc<S3>,
        caller: &Caller,
        write: Write,
    ) -> Result<Object, Error> {
        let Write { place, object, conditions, event, also, garbage, mut bytes } = write;
        for _ in 0..limits::ATTEMPTS {
            let bucket = self.buckets.find(&place.bucket, place.owner.as_deref())?;
            let latest = self.latest(&place.bucket, &place.key).await?;
            conditions.check(&place.key, latest.as_ref().map(|latest| &latest.object))?;
            let mut object = object.clone();
            if object.retention.is_none() && bucket.row.object_lock {
                let default = bucket.row.default_retention;
                object.retention = default.map(|default| default.starting(caller.now));
            }
            object.sequence = self.sequence_behind(caller, latest.as_ref());
            let mut change = Change::new(&bucket);
            change.batch.append(also.clone());
            change.garbage.clone_from(&garbage);
            object.version =
                self.make_room(&bucket, &place, latest, object.sequence, &mut change).await?;
            change.batch.put(rows::object(&place.bucket, &place.key), &object);
            let happened = Event {
                name: event,
                key: &place.key,
                size: Some(object.size),
                etag: Some(&object.etag),
                version: object.version.as_deref(),
                sequence: object.sequence,
                host_id: crate::http::HOST_ID,
            };
            change.deliveries = notification::deliveries(&bucket, caller, &happened);
            match self.settle(change, bytes).await {
                Ok(()) => return Ok(object),
                Err(unsettled) => {
                    if also.checks.iter().any(|check| unsettled.is_about(checked(check))) {
                        return Err(Error::OperationAborted {});
                    }
                    bytes = unsettled.again().await?;
                }
            }
        }
        Err(Error::OperationAborted {})
    }

    fn sequence_behind(&self, caller: &Caller, latest: Option<&Stored>) -> u64 {
        self.next_sequence(caller.now, latest.map_or(0, |latest| latest.object.sequence))
    }

    /// Moves the latest version to the older ones, or removes it where versioning is not enabled.
    /// Answers with the id of the version that takes its place.
    async fn make_room(
        &self,
        bucket: &Bucket,
        place: &Place,
        latest: Option<Stored>,
        sequence: u64,
        change: &mut Change,
    ) -> Result<Option<String>, Error> {
        let (name, key) = (&place.bucket, &place.key);
        match &latest {
            Some(latest) => change.check(latest),
            None => {
                change.batch.absent(rows::object(name, key));
            }
        }
        let replaces_null = bucket.row.versioning != Versioning::Enabled;
        match latest {
            Some(latest) if replaces_null && latest.object.version.is_none() => {
                self.forget(change, &latest.object.body).await?;
                return Ok(None);
            }
            Some(latest) => {
                let row = rows::version(name, key, latest.object.sequence);
                change.batch.put(row, &latest.object);
            }
            None => {}
        }
        match bucket.row.versioning {
            Versioning::Never => Ok(None),
            Versioning::Enabled => Ok(Some(version::id(sequence))),
            Versioning::Suspended => {
                if let Some(null) = self.older_null(name, key).await? {
                    change.check(&null);
                    change.batch.delete(null.row);
                    self.forget(change, &null.object.body).await?;
                }
                Ok(None)
            }
        }
    }

    /// Deletes a key: for good, or by a delete marker where the bucket keeps versions.
    pub(crate) async fn delete(
        self: &Arc<S3>,
        caller: &Caller,
        place: &Place,
        conditions: &WriteConditions,
    ) -> Result<Deleted, Error> {
        for _ in 0..limits::ATTEMPTS {
            let bucket = self.buckets.find(&place.bucket, place.owner.as_deref())?;
            let latest = self.latest(&place.bucket, &place.key).await?;
            conditions.check(&place.key, latest.as_ref().map(|latest| &latest.object))?;
            if bucket.row.versioning == Versioning::Never && latest.is_none() {
                return Ok(Deleted::default());
            }
            let sequence = self.sequence_behind(caller, latest.as_ref());
            let mut change = Change::new(&bucket);
            change.batch.delete(rows::object(&place.bucket, &place.key));
            let id = self.make_room(&bucket, place, latest, sequence, &mut change).await?;
            let mut deleted = Deleted::default();
            if bucket.row.versioning != Versioning::Never {
                let marker = Object {
                    version: id,
                    sequence,
                    delete_marker: true,
                    modified: caller.now,
                    ..Object::default()
                };
                let version = Some(marker.version_text().to_owned());
                deleted = Deleted { version, delete_marker: true };
                change.batch.put(rows::version(&place.bucket, &place.key, sequence), &marker);
            }
            change.deliveries = removal(&bucket, caller, place, &deleted, sequence);
            match self.settle(change, Unnamed::nothing(self.store.blobs())).await {
                Ok(()) => return Ok(deleted),
                Err(unsettled) => drop(unsettled.again().await?),
            }
        }
        Err(Error::OperationAborted {})
    }

    /// Deletes one version for good; the next older one becomes the latest if this one was.
    pub(crate) async fn delete_version(
        self: &Arc<S3>,
        caller: &Caller,
        place: &Place,
        id: &str,
        bypass: Bypass,
    ) -> Result<Deleted, Error> {
        let (name, key) = (&place.bucket, &place.key);
        for _ in 0..limits::ATTEMPTS {
            let bucket = self.buckets.find(name, place.owner.as_deref())?;
            let mut deleted = Deleted { version: Some(id.to_owned()), delete_marker: false };
            let Some(doomed) = self.version(name, key, id).await? else { return Ok(deleted) };
            lock::check_delete(&doomed.object, caller.now, bypass)?;
            deleted.delete_marker = doomed.object.delete_marker;
            let mut change = Change::new(&bucket);
            change.check(&doomed);
            change.batch.delete(doomed.row.clone());
            self.forget(&mut change, &doomed.object.body).await?;
            self.promote_behind(place, &doomed, &mut change).await?;
            let removed = Deleted { delete_marker: false, ..deleted.clone() };
            let sequence = self.next_sequence(caller.now, 0);
            change.deliveries = removal(&bucket, caller, place, &removed, sequence);
            match self.settle(change, Unnamed::nothing(self.store.blobs())).await {
                Ok(()) => return Ok(deleted),
                Err(unsettled) => drop(unsettled.again().await?),
            }
        }
        Err(Error::OperationAborted {})
    }

    /// Makes the newest remaining version the latest one if `doomed` was in front of it.
    async fn promote_behind(
        &self,
        place: &Place,
        doomed: &Stored,
        change: &mut Change,
    ) -> Result<(), Error> {
        let (name, key) = (&place.bucket, &place.key);
        let latest_row = rows::object(name, key);
        if doomed.row != latest_row {
            match self.latest(name, key).await? {
                Some(latest) => {
                    change.check(&latest);
                    return Ok(());
                }
                None => {
                    change.batch.absent(latest_row.clone());
                }
            }
        }
        let mut front = self.older(name, key, 2).await?;
        // Also of what is only in front: a deletion of that beside this one must see it conflict.
        front.iter().for_each(|stored| change.check(stored));
        front.retain(|stored| stored.row != doomed.row);
        let is_next = front.first().filter(|next| {
            !next.object.delete_marker && next.object.sequence < doomed.object.sequence
        });
        if let Some(next) = is_next {
            change.batch.delete(next.row.clone());
            change.batch.put(latest_row, &next.object);
        }
        Ok(())
    }

    /// Changes what may be changed of a version: tags, ACL, retention, legal hold.
    pub(crate) async fn amend(
        self: &Arc<S3>,
        caller: &Caller,
        place: &Place,
        id: Option<&str>,
        event: Option<EventName>,
        amend: impl Fn(&Bucket, &mut Object) -> Result<(), Error>,
    ) -> Result<Object, Error> {
        for _ in 0..limits::ATTEMPTS {
            let bucket = self.buckets.find(&place.bucket, place.owner.as_deref())?;
            let mut object = self.find(&bucket, &place.key, id, "PUT").await?;
            let found = self.version(&place.bucket, &place.key, object.version_text()).await?;
            let Some(stored) = found.filter(|found| found.object == object) else { continue };
            amend(&bucket, &mut object)?;
            let mut change = Change::new(&bucket);
            change.check(&stored);
            change.batch.put(stored.row, &object);
            let happened = event.map(|name| Event {
                name,
                key: &place.key,
                size: None,
                etag: Some(&object.etag),
                version: object.version.as_deref(),
                sequence: self.next_sequence(caller.now, object.sequence),
                host_id: crate::http::HOST_ID,
            });
            if let Some(happened) = &happened {
                change.deliveries = notification::deliveries(&bucket, caller, happened);
            }
            match self.settle(change, Unnamed::nothing(self.store.blobs())).await {
                Ok(()) => return Ok(object),
                Err(unsettled) => drop(unsettled.again().await?),
            }
        }
        Err(Error::OperationAborted {})
    }
}

/// The row that a check is about.
fn checked(check: &Check) -> &Key {
    let (Check::Absent(row) | Check::Present(row) | Check::Version(row, _)) = check;
    row
}

fn removal(
    bucket: &Bucket,
    caller: &Caller,
    place: &Place,
    deleted: &Deleted,
    sequence: u64,
) -> Vec<bus::Delivery> {
    /// The MD5 of no bytes, which S3 gives for delete markers.
    const NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";
    let (name, etag) = match deleted.delete_marker {
        true => (EventName::RemovedDeleteMarkerCreated, Some(NOTHING)),
        false => (EventName::RemovedDelete, None),
    };
    let event = Event {
        name,
        key: &place.key,
        size: None,
        etag,
        version: deleted.version.as_deref(),
        sequence,
        host_id: crate::http::HOST_ID,
    };
    notification::deliveries(bucket, caller, &event)
}
