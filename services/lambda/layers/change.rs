//! How layers change: durable first, then seen by all, and never while a function changes, which may
//! be taking up a layer.

use std::sync::Arc;

use crate::{
    Error, Lambda,
    layers::{name::LayerKey, record::Layer, store::difference},
};

impl Lambda {
    /// Changes a layer, or makes one: `decide` works on a draft, which is made durable and then seen
    /// by all. When it fails nothing has changed. Packages that nobody names any more are removed.
    pub(crate) async fn change_layer<T>(
        &self,
        key: &LayerKey,
        decide: impl FnOnce(&mut Layer) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let turn = self.functions.turn.lock().await;
        let old = self.layers.find(key).unwrap_or_else(|| Arc::new(Layer::default()));
        let mut draft = Layer::clone(&old);
        let answer = decide(&mut draft)?;
        self.store.commit(difference(key, &old, &draft)).await?;
        let gone = old.versions.iter().filter(|(number, _)| !draft.versions.contains_key(number));
        let blobs: Vec<_> = gone.map(|(_, version)| version.code.blob).collect();
        self.layers.put(key, draft);
        drop(turn);
        if !blobs.is_empty() {
            self.discard(blobs).await;
            self.collect_code().await;
        }
        Ok(answer)
    }
}
