//! How mappings lie in storage: one row each, and for streams one for each shard.

use std::{collections::BTreeMap, sync::Arc};

use ::store::{Batch, CommitError, Key, ReadError};

use crate::{
    Lambda,
    sources::{mapping::Mapping, stream::Checkpoint},
};

const TABLE: &str = "lambda/mapping";
const CHECKPOINTS: &str = "lambda/checkpoint";

fn row(id: &str) -> Key {
    Key::table(TABLE).text(id)
}

fn checkpoints(id: &str) -> Key {
    Key::table(CHECKPOINTS).text(id)
}

impl Lambda {
    /// Makes a mapping durable.
    pub(crate) async fn save_mapping(&self, mapping: &Mapping) -> Result<(), CommitError> {
        let mut batch = Batch::new();
        batch.put(row(&mapping.id), mapping);
        self.store.commit(batch).await.map(drop)
    }

    /// Removes a mapping and its places in the shards.
    pub(crate) async fn forget_mapping(&self, id: &str) -> Result<(), CommitError> {
        let mut batch = Batch::new();
        batch.delete(row(id)).delete_all(checkpoints(id));
        self.store.commit(batch).await.map(drop)
    }

    /// A mapping's places in the shards of its stream.
    pub(crate) async fn checkpoints(
        &self,
        id: &str,
    ) -> Result<BTreeMap<String, Checkpoint>, ReadError> {
        let table = checkpoints(id);
        let mut found = BTreeMap::new();
        self.store
            .scan(&table, |key, checkpoint| {
                found.extend(key.text_after(&table).map(|shard| (shard, checkpoint)));
            })
            .await?;
        Ok(found)
    }

    /// Changes places in shards together with what else is in the batch. A conflict says that the
    /// mapping is no more.
    pub(crate) async fn save_checkpoints(
        &self,
        id: &str,
        changes: &[(&str, Option<&Checkpoint>)],
        mut batch: Batch,
    ) -> Result<(), CommitError> {
        batch.present(row(id));
        for (shard, checkpoint) in changes {
            let key = checkpoints(id).text(shard);
            match checkpoint {
                Some(checkpoint) => batch.put(key, checkpoint),
                None => batch.delete(key),
            };
        }
        self.store.commit(batch).await.map(drop)
    }

    /// Starts the pollers of every mapping that was stored.
    pub(crate) async fn resume_mappings(self: &Arc<Self>) -> Result<(), ReadError> {
        let mut mappings: Vec<Mapping> = Vec::new();
        self.store.scan(&Key::table(TABLE), |_, mapping| mappings.push(mapping)).await?;
        for mapping in mappings {
            self.sources.put(self, mapping, None);
        }
        Ok(())
    }
}
