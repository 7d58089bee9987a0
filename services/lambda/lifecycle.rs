//! How the service begins and ends with the server.

use std::sync::Arc;

use store::ReadError;

use crate::Lambda;

impl Lambda {
    /// Takes events from the bus, polls the sources of every mapping, and brings up provisioned
    /// instances in the background. Call it when the other
    /// services have been opened.
    ///
    /// # Errors
    /// The mappings cannot be read.
    pub async fn start(self: &Arc<Self>) -> Result<(), ReadError> {
        self.bus.directory().offer_target("lambda", self.clone());
        self.bus.directory().offer_policies("lambda", self.clone());
        for live in self.functions.provisioned() {
            self.keep_provisioned(&live.function.key, Some(&live), None);
        }
        self.resume_snapshots();
        self.bus.directory().offer_origin("lambda", self.clone());
        self.usage.start(self.store.clone(), self.clock.clone());
        self.resume_mappings().await
    }

    /// Ends the snapshots that are being made and the pollers, and waits for their batches.
    pub async fn shutdown(&self) {
        self.snapshots.shutdown().await;
        self.sources.shutdown().await;
    }

    /// Writes what functions used up to now. Call it when no invocation runs any more.
    pub async fn settle(&self) {
        self.usage.shutdown(&self.store, self.clock.now()).await;
    }
}
