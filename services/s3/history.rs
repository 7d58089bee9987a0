//! Reading the versions of a key.

use crate::{
    Error, S3,
    bucket::{Bucket, Versioning},
    limits,
    object::Object,
    rows, version,
};

/// A version with its row.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) row: store::Key,
    /// The number of the commit that wrote the row.
    pub(crate) at: u64,
    pub(crate) object: Object,
}

/// Which key of which bucket a request means.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) bucket: String,
    pub(crate) key: String,
    /// `x-amz-expected-bucket-owner`.
    pub(crate) owner: Option<String>,
}

impl S3 {
    /// The latest version of a key, unless that is a delete marker.
    pub(crate) async fn latest(&self, bucket: &str, key: &str) -> Result<Option<Stored>, Error> {
        let row = rows::object(bucket, key);
        self.stored(row).await
    }

    async fn stored(&self, row: store::Key) -> Result<Option<Stored>, Error> {
        let found = self.store.get(&row).await?;
        found
            .map(|found| Ok(Stored { row, at: found.version, object: found.decode()? }))
            .transpose()
    }

    /// The newest `count` rows among the older versions and delete markers of a key.
    pub(crate) async fn older(
        &self,
        bucket: &str,
        key: &str,
        count: usize,
    ) -> Result<Vec<Stored>, Error> {
        let found = self.store.rows(&rows::versions_of(bucket, key), None, count).await?;
        let stored = found
            .into_iter()
            .map(|row| Ok(Stored { row: row.key.clone(), at: row.version, object: row.decode()? }));
        stored.collect()
    }

    /// The version of this id; `None` if the key has none.
    pub(crate) async fn version(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
    ) -> Result<Option<Stored>, Error> {
        let latest = self.latest(bucket, key).await?;
        if let Some(latest) = latest.filter(|latest| latest.object.version_text() == id) {
            return Ok(Some(latest));
        }
        if id == "null" {
            return self.older_null(bucket, key).await;
        }
        let invalid = || Error::argument("Invalid version id specified", "versionId", id);
        let sequence = version::sequence(id).ok_or_else(invalid)?;
        let found = self.stored(rows::version(bucket, key, sequence)).await?;
        Ok(found.filter(|found| found.object.version_text() == id))
    }

    /// The `null` version among the older ones. There is at most one; only buckets that were
    /// switched between versioning and none have any.
    pub(crate) async fn older_null(
        &self,
        bucket: &str,
        key: &str,
    ) -> Result<Option<Stored>, Error> {
        let prefix = rows::versions_of(bucket, key);
        let mut after = None;
        loop {
            let found = self.store.rows(&prefix, after.as_ref(), limits::LIST_ROWS).await?;
            let Some(last) = found.last() else { return Ok(None) };
            after = Some(last.key.clone());
            for row in found {
                let object: Object = row.decode()?;
                if object.version.is_none() {
                    return Ok(Some(Stored { row: row.key, at: row.version, object }));
                }
            }
        }
    }

    /// The version that a read means.
    pub(crate) async fn find(
        &self,
        bucket: &Bucket,
        key: &str,
        id: Option<&str>,
        method: &str,
    ) -> Result<Object, Error> {
        let name = &bucket.row.name;
        if let Some(id) = id {
            let found = self.version(name, key, id).await?.ok_or_else(|| Error::NoSuchVersion {
                key: key.to_owned(),
                version: id.to_owned(),
            })?;
            if found.object.delete_marker {
                return Err(Error::MethodNotAllowed {
                    method: method.to_owned(),
                    resource: "DeleteMarker".to_owned(),
                    allow: "DELETE".to_owned(),
                    delete_marker: "true".to_owned(),
                    version: id.to_owned(),
                });
            }
            return Ok(found.object);
        }
        if let Some(latest) = self.latest(name, key).await? {
            return Ok(latest.object);
        }
        if bucket.row.versioning == Versioning::Never {
            return Err(Error::no_such_key(key));
        }
        match self.older(name, key, 1).await?.first() {
            Some(marker) => Err(Error::deleted_key(key, marker.object.version_text())),
            None => Err(Error::no_such_key(key)),
        }
    }
}
