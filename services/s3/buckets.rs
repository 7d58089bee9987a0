//! All buckets, in memory: finding one costs no read. A change is committed first, then shown.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use kit::AccountId;
use store::{Batch, BlobId, CommitError, Store};

use crate::{
    Error,
    bucket::{Bucket, BucketRow},
    limits, rows,
};

/// The buckets by name; names are global.
pub(crate) struct Buckets {
    store: Store,
    known: Known,
}

/// The buckets that requests see.
#[derive(Clone, Default)]
struct Known(Arc<RwLock<BTreeMap<String, Arc<Bucket>>>>);

/// What became of a bucket's new row.
enum Written {
    /// It is on disk, and requests see it.
    Shown,
    /// The row that it was made from has changed.
    Outdated,
}

impl Buckets {
    /// Reads all buckets. A deletion that a crash cut short is taken back: it was not acknowledged.
    pub(crate) async fn open(store: Store) -> Result<Buckets, Error> {
        let buckets = Buckets { store, known: Known::default() };
        let mut after = None;
        loop {
            let rows = buckets.store.rows(&rows::buckets(), after.as_ref(), 1024).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.key.clone());
            for row in rows {
                let bucket = Bucket::new(row.decode()?, row.version)?;
                buckets.known.show(Arc::new(bucket));
            }
        }
        let closing: Vec<String> = {
            let known = buckets.known.read();
            known.values().filter(|bucket| bucket.row.closing).map(|b| b.row.name.clone()).collect()
        };
        for name in closing {
            buckets.reopen(&name).await?;
        }
        Ok(buckets)
    }

    /// The bucket of this name, if `expected` (`x-amz-expected-bucket-owner`) owns it.
    pub(crate) fn find(&self, name: &str, expected: Option<&str>) -> Result<Arc<Bucket>, Error> {
        let Some(bucket) = self.get(name).filter(|bucket| !bucket.row.closing) else {
            s3_name(name)?;
            return Err(Error::NoSuchBucket { bucket: name.to_owned() });
        };
        if expected.is_some_and(|owner| owner != bucket.row.account.as_str()) {
            return Err(Error::denied());
        }
        Ok(bucket)
    }

    /// The buckets of an account behind `after` in the order of their names.
    pub(crate) fn list(&self, account: AccountId, after: Option<&str>) -> Vec<Arc<Bucket>> {
        let known = self.known.read();
        let listed = known.values().filter(|bucket| {
            bucket.row.account == account
                && !bucket.row.closing
                && after.is_none_or(|after| bucket.row.name.as_str() > after)
        });
        listed.cloned().collect()
    }

    /// Adds a bucket.
    pub(crate) async fn create(&self, row: BucketRow) -> Result<(), Error> {
        let taken = |owner: AccountId| {
            let bucket = row.name.clone();
            if owner == row.account {
                Error::BucketAlreadyOwnedByYou { bucket }
            } else {
                Error::BucketAlreadyExists { bucket }
            }
        };
        if let Some(present) = self.get(&row.name) {
            return Err(taken(present.row.account));
        }
        if self.list(row.account, None).len() >= limits::BUCKETS {
            return Err(Error::TooManyBuckets {});
        }
        let mut batch = Batch::new();
        let key = rows::bucket(&row.name);
        batch.absent(key.clone()).put(key.clone(), &row);
        match self.write(batch, row.clone()).await? {
            Written::Shown => Ok(()),
            // Somebody else's creation was quicker.
            Written::Outdated => match self.store.read::<BucketRow>(&key).await? {
                Some(present) => Err(taken(present.account)),
                None => Err(Error::OperationAborted {}),
            },
        }
    }

    /// Changes a bucket's row; repeats `change` on the newer row when somebody else was quicker.
    pub(crate) async fn change(
        &self,
        name: &str,
        expected: Option<&str>,
        change: impl Fn(&mut BucketRow) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.find(name, expected)?;
        self.change_row(name, change).await
    }

    async fn change_row(
        &self,
        name: &str,
        change: impl Fn(&mut BucketRow) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for _ in 0..limits::ATTEMPTS {
            let missing = || Error::NoSuchBucket { bucket: name.to_owned() };
            let bucket = self.get(name).ok_or_else(missing)?;
            let mut row = bucket.row.clone();
            change(&mut row)?;
            let mut batch = Batch::new();
            let key = rows::bucket(name);
            batch.version(key.clone(), bucket.version).put(key, &row);
            match self.write(batch, row).await? {
                Written::Shown => return Ok(()),
                // The quicker change is shown a moment after its commit.
                Written::Outdated => tokio::task::yield_now().await,
            }
        }
        Err(Error::OperationAborted {})
    }

    /// Commits a bucket's row and shows it, even if the client goes away in between: while requests
    /// see another row than the disk holds, nothing can be written into the bucket.
    async fn write(&self, batch: Batch, row: BucketRow) -> Result<Written, Error> {
        let (store, known) = (self.store.clone(), self.known.clone());
        let written = tokio::spawn(async move {
            match store.commit(batch).await {
                Ok(version) => known.show(Arc::new(Bucket::new(row, version)?)),
                Err(CommitError::Conflict(_)) => return Ok(Written::Outdated),
                Err(error) => return Err(error.into()),
            }
            Ok(Written::Shown)
        });
        written.await.unwrap_or_else(|panic| Err(Error::internal(&panic)))
    }

    /// Removes a bucket. `clear` runs while nothing can be written into it, since the row's
    /// version, which every write checks, has changed; it refuses, or tells what else goes and
    /// which bytes that leaves.
    pub(crate) async fn delete(
        &self,
        name: &str,
        expected: Option<&str>,
        clear: impl Future<Output = Result<(Batch, Vec<BlobId>), Error>> + Send,
    ) -> Result<Vec<BlobId>, Error> {
        self.change(name, expected, |row| {
            if row.closing {
                return Err(Error::OperationAborted {});
            }
            row.closing = true;
            Ok(())
        })
        .await?;
        let cleared = async {
            let (mut batch, garbage) = clear.await?;
            batch.delete(rows::bucket(name));
            self.store.commit(batch).await?;
            Ok(garbage)
        };
        match cleared.await {
            Ok(garbage) => {
                self.known.write().remove(name);
                Ok(garbage)
            }
            Err(reason) => {
                self.reopen(name).await?;
                Err(reason)
            }
        }
    }

    async fn reopen(&self, name: &str) -> Result<(), Error> {
        let reopen = |row: &mut BucketRow| {
            row.closing = false;
            Ok(())
        };
        self.change_row(name, reopen).await
    }

    fn get(&self, name: &str) -> Option<Arc<Bucket>> {
        self.known.read().get(name).cloned()
    }
}

impl Known {
    fn show(&self, bucket: Arc<Bucket>) {
        let mut known = self.write();
        match known.get(&bucket.row.name) {
            Some(present) if present.version > bucket.version => {}
            _ => {
                known.insert(bucket.row.name.clone(), bucket);
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, Arc<Bucket>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Arc<Bucket>>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a bucket of this name could be.
fn s3_name(name: &str) -> Result<(), Error> {
    if s3s::path::check_bucket_name(name) {
        return Ok(());
    }
    Err(Error::InvalidBucketName { bucket: name.to_owned() })
}
