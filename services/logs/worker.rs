//! Retention: what has expired, and what deleted groups and streams left, is taken off the disk.
//! Readers do not wait for it: they see neither.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinHandle};

use crate::Logs;

/// Between two rounds.
const ROUND: Duration = Duration::from_secs(10 * 60);

/// The task that applies retention.
pub struct Worker {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Worker {
    pub(crate) fn start(logs: Arc<Logs>) -> Worker {
        let (stop, mut stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            loop {
                logs.apply_retention().await;
                tokio::select! {
                    () = logs.clock.sleep(ROUND) => {}
                    _ = stopped.changed() => return,
                }
            }
        });
        Worker { stop, task }
    }

    /// Ends the task and waits for it.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        if self.task.await.is_err() {
            tracing::error!("the worker of logs panicked");
        }
    }
}

impl Logs {
    /// One round.
    pub(crate) async fn apply_retention(&self) {
        let retention = self.catalog().retention(self.clock.now());
        match self.events.retain(move |stream| retention.keep_from(stream)).await {
            Ok(0) => {}
            Ok(bytes) => tracing::info!(bytes, "expired log events are gone"),
            Err(error) => tracing::error!(%error, "expired log events could not be removed"),
        }
    }
}
