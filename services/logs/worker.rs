//! Retention: what has expired, and what deleted groups and streams left, is taken off the disk.
//! Readers do not wait for it: they see neither.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use crate::Logs;

/// Between two rounds.
const ROUND: Duration = Duration::from_secs(10 * 60);

impl Logs {
    /// Starts the worker; [`Logs::shutdown`] ends it.
    pub(crate) fn start_worker(self: &Arc<Self>) {
        let logs = self.clone();
        let mut stopped = self.stop.subscribe();
        let task = tokio::spawn(async move {
            loop {
                logs.apply_retention().await;
                tokio::select! {
                    () = logs.clock.sleep(ROUND) => {}
                    _ = stopped.changed() => return,
                }
            }
        });
        *self.worker.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// Ends what runs in the background, and waits for it.
    pub async fn shutdown(&self) {
        self.stop.send_replace(true);
        let task = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && task.await.is_err()
        {
            tracing::error!("the worker of logs panicked");
        }
    }

    /// One round.
    async fn apply_retention(&self) {
        let retention = self.catalog().retention(self.clock.now());
        match self.events.retain(move |stream| retention.keep_from(stream)).await {
            Ok(0) => {}
            Ok(bytes) => tracing::info!(bytes, "expired log events are gone"),
            Err(error) => tracing::error!(%error, "expired log events could not be removed"),
        }
    }
}
