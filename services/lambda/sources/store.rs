//! How mappings lie in storage: one row each.

use std::sync::Arc;

use store::{Batch, CommitError, Key, ReadError};

use crate::{Lambda, sources::mapping::Mapping};

const TABLE: &str = "lambda/mapping";

impl Lambda {
    /// Makes a mapping durable.
    pub(crate) async fn save_mapping(&self, mapping: &Mapping) -> Result<(), CommitError> {
        let mut batch = Batch::new();
        batch.put(Key::table(TABLE).text(&mapping.id), mapping);
        self.store.commit(batch).await.map(drop)
    }

    /// Removes a mapping.
    pub(crate) async fn forget_mapping(&self, id: &str) -> Result<(), CommitError> {
        let mut batch = Batch::new();
        batch.delete(Key::table(TABLE).text(id));
        self.store.commit(batch).await.map(drop)
    }

    /// Starts the pollers of every mapping that was stored.
    pub(crate) async fn resume_mappings(self: &Arc<Self>) -> Result<(), ReadError> {
        let mut mappings: Vec<Mapping> = Vec::new();
        self.store.scan(&Key::table(TABLE), |_, mapping| mappings.push(mapping)).await?;
        for mapping in mappings {
            self.sources.put(self, mapping);
        }
        Ok(())
    }
}
