//! SnapStart: a version that is published is not ready before its init has run once, in a process
//! from which its instances are forked. What came of it is kept with the version; the process is
//! the pool's, which makes it anew when it is needed after a restart.

use std::sync::{Arc, Mutex, PoisonError};

use runtime::{SnapshotFailure, Snapshotted};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::{
    Error, Lambda, invoke::concurrency::FunctionKey, settings::Settings, version::Number,
    version::Version,
};

/// Where a version is on its way to a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Snapshot {
    /// None is made: no SnapStart, or a runtime that cannot be forked here.
    #[default]
    None,
    /// Its init runs.
    Pending,
    /// Its instances are forked.
    On,
    /// Its instances run the init themselves: after it nothing could be forked.
    Off,
    /// Its init failed.
    Failed,
}

impl Snapshot {
    /// What a version begins with when it is published.
    pub(crate) fn of(settings: &Settings) -> Snapshot {
        match settings.snap_start && settings.runtime.starts_with("python") {
            true => Snapshot::Pending,
            false => Snapshot::None,
        }
    }

    /// Whether the version can be invoked.
    pub(crate) fn check(self) -> Result<(), Error> {
        match self {
            Snapshot::Pending => Err(Error::SnapStartNotReady),
            Snapshot::Failed => Err(Error::VersionFailed),
            Snapshot::None | Snapshot::On | Snapshot::Off => Ok(()),
        }
    }
}

/// Snapshots on their way.
#[derive(Default)]
pub(crate) struct Snapshots(Mutex<JoinSet<()>>);

impl Snapshots {
    fn tasks(&self) -> std::sync::MutexGuard<'_, JoinSet<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends them; what is not done is begun again by the next server.
    pub(crate) async fn shutdown(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks());
        tasks.shutdown().await;
    }
}

impl Lambda {
    /// Makes the snapshot of a version in the background, if it needs one.
    pub(crate) fn take_snapshot(self: &Arc<Self>, key: &FunctionKey, version: &Version) {
        if version.snapshot != Snapshot::Pending {
            return;
        }
        let (lambda, key, number) = (self.clone(), key.clone(), version.number);
        let mut tasks = self.snapshots.tasks();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            if let Err(error) = lambda.make_snapshot(&key, number).await {
                tracing::warn!(%error, function = key.name, "no snapshot");
            }
        });
    }

    /// Begins anew what an earlier server has not done.
    pub(crate) fn resume_snapshots(self: &Arc<Self>) {
        for live in self.functions.all() {
            let versions = live.function.versions.values();
            versions.for_each(|version| self.take_snapshot(&live.function.key, version));
        }
    }

    async fn make_snapshot(&self, key: &FunctionKey, number: Number) -> Result<(), Error> {
        let live = self.functions.get(key)?;
        // It may be gone already.
        let Some(run) = live.runs.get(&number) else { return Ok(()) };
        let snapshot = match self.pool.snapshot(run).await {
            Ok(Snapshotted::On) => Snapshot::On,
            Ok(Snapshotted::Off) => Snapshot::Off,
            Err(SnapshotFailure::Init) => Snapshot::Failed,
            Err(SnapshotFailure::Stopping) => return Ok(()),
            Err(SnapshotFailure::Machine(text)) => {
                tracing::warn!(error = text, function = key.name, "no snapshot");
                Snapshot::Off
            }
        };
        let settled = self.change(key, |function| {
            let settled = function.versions.get(&number).map(|version| Version {
                snapshot,
                revision: kit::ids::uuid(),
                ..Version::clone(version)
            });
            if let Some(version) = settled {
                function.versions.insert(number, Arc::new(version));
            }
            Ok(())
        });
        settled.await
    }
}
