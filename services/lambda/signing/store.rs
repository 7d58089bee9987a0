//! How code signing configurations lie in the store: one row each.

use std::sync::Arc;

use ::store::{Batch, CommitError, Key, ReadError, Store};

use super::{Signing, Signings};
use crate::Lambda;

const TABLE: &str = "lambda/code-signing-config";

fn row(signing: &Signing) -> Key {
    let place = Key::table(TABLE).text(signing.account.as_str()).text(signing.region.as_str());
    place.text(&signing.id)
}

impl Signings {
    /// Reads every configuration.
    pub(crate) async fn load(store: &Store) -> Result<Signings, ReadError> {
        let signings = Signings::default();
        store
            .scan(&Key::table(TABLE), |_, signing: Signing| {
                signings.put(signing);
            })
            .await?;
        Ok(signings)
    }
}

impl Lambda {
    /// Makes a configuration durable and then seen by all. The caller holds the turn.
    pub(crate) async fn save_signing(&self, signing: Signing) -> Result<Arc<Signing>, CommitError> {
        let mut batch = Batch::new();
        batch.put(row(&signing), &signing);
        self.store.commit(batch).await?;
        Ok(self.signings.put(signing))
    }

    /// Removes a configuration. The caller holds the turn.
    pub(crate) async fn forget_signing(&self, signing: &Signing) -> Result<(), CommitError> {
        let mut batch = Batch::new();
        batch.delete(row(signing));
        self.store.commit(batch).await?;
        self.signings.remove(signing.arn().as_str());
        Ok(())
    }
}
