//! Background work: writes out when keys and roles were last used.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, task::JoinHandle};

use crate::Iam;

/// How much of what is known of last uses a crash may lose.
const EVERY: Duration = Duration::from_secs(60);

/// The task and how to stop it.
#[derive(Default)]
pub(crate) struct Worker {
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Iam {
    /// Starts the background work. It ends with the service.
    pub(crate) fn start(self: &Arc<Self>) {
        // Weak: the task must not keep alive the service that owns it.
        let iam = Arc::downgrade(self);
        let clock = self.clock.clone();
        let mut stop = self.worker.stop.subscribe();
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = clock.sleep(EVERY) => {}
                    _ = stop.changed() => return,
                }
                let Some(iam) = iam.upgrade() else { return };
                iam.write_last_uses().await;
            }
        });
        *self.worker.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// Stops the background work and writes what it had still to write.
    pub async fn shutdown(&self) {
        self.worker.stop.send_replace(true);
        let task = self.worker.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let _ = task.await;
        }
        self.write_last_uses().await;
    }

    async fn write_last_uses(&self) {
        let batch = self.uses.take_unwritten();
        if batch.is_empty() {
            return;
        }
        if let Err(error) = self.store.commit(batch).await {
            // The next use of a key writes it again.
            tracing::warn!(%error, "writing when keys were last used failed");
        }
    }
}
