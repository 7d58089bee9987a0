//! How functions change: one change at a time, durable first, then seen by all. A version that is no
//! more loses its instances, and its code when none of them runs it any more.

use std::{collections::HashSet, sync::Arc};

use store::BlobId;

use crate::{
    Error, Lambda, function::Function, functions::Live, invoke::concurrency::FunctionKey,
    store::difference,
};

/// What a change took away.
struct Gone {
    runs: Vec<Arc<runtime::Function>>,
    blobs: Vec<BlobId>,
}

impl Lambda {
    /// Adds a function whose name is free.
    pub(crate) async fn add(&self, function: Function) -> Result<(), Error> {
        let _turn = self.functions.turn.lock().await;
        let key = function.key.clone();
        if self.functions.get(&key).is_ok() {
            return Err(Error::FunctionExists(key.name));
        }
        self.layers.check(&function.latest().settings.layers)?;
        self.store.commit(difference(None, Some(&function))).await?;
        let live = Live::new(function, None, &self.code);
        self.functions.put(&key, Some(Arc::new(live)));
        Ok(())
    }

    /// Changes a function: `decide` works on a draft, which is made durable and then seen by all.
    /// When it fails nothing has changed.
    pub(crate) async fn change<T>(
        &self,
        key: &FunctionKey,
        decide: impl FnOnce(&mut Function) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let turn = self.functions.turn.lock().await;
        let old = self.functions.get(key)?;
        let mut draft = old.function.clone();
        let answer = decide(&mut draft)?;
        self.store.commit(difference(Some(&old.function), Some(&draft))).await?;
        let new = Arc::new(Live::new(draft, Some(&old), &self.code));
        let gone = self.replace(key, &old, Some(new));
        drop(turn);
        self.end(gone).await;
        Ok(answer)
    }

    /// Removes a function.
    pub(crate) async fn remove(&self, key: &FunctionKey) -> Result<(), Error> {
        let turn = self.functions.turn.lock().await;
        let old = self.functions.get(key)?;
        self.store.commit(difference(Some(&old.function), None)).await?;
        let gone = self.replace(key, &old, None);
        drop(turn);
        self.end(gone).await;
        Ok(())
    }

    /// Shows a new state to all, and tells what of the old one is gone.
    fn replace(&self, key: &FunctionKey, old: &Live, new: Option<Arc<Live>>) -> Gone {
        let kept = |run: &Arc<runtime::Function>| {
            new.as_ref().is_some_and(|new| new.runs.values().any(|it| it.key == run.key))
        };
        let gone = old.running().filter(|(version, _)| !kept(version)).map(|(_, run)| run);
        let with_tenants = gone.flat_map(|run| {
            let tenants = self.functions.tenants.leave(&run.key);
            std::iter::once(run).chain(tenants)
        });
        let runs: Vec<_> = with_tenants.collect();
        let still = new.as_ref().map(|new| new.blobs()).unwrap_or_default();
        let blobs = old.blobs().difference(&still).copied().collect();
        // First, so that their code has a name at every moment.
        self.functions.leave(runs.clone());
        self.keep_provisioned(key, new.as_deref(), Some(old));
        self.functions.put(key, new);
        Gone { runs, blobs }
    }

    /// Tells the pool which instances are to be always ready, where that has changed.
    pub(crate) fn keep_provisioned(
        &self,
        key: &FunctionKey,
        live: Option<&Live>,
        old: Option<&Live>,
    ) {
        let wanted = |live: Option<&Live>| live.map(|live| live.wanted.clone()).unwrap_or_default();
        if wanted(live) == wanted(old) {
            return;
        }
        let wants = live.into_iter().flat_map(|live| {
            live.wanted.iter().map(|(version, count)| (live.runs[version].clone(), *count as usize))
        });
        self.pool.provision(key.arn().as_str(), wants.collect());
    }

    /// Ends the instances of versions that are gone, and removes the zips that only they named.
    async fn end(&self, gone: Gone) {
        gone.runs.iter().for_each(|run| self.pool.retire(&run.key));
        self.discard(gone.blobs).await;
    }

    /// Removes the zips that nobody names any more: a layer's package has several owners.
    pub(crate) async fn discard(&self, mut blobs: Vec<BlobId>) {
        if !blobs.is_empty() {
            let named = self.named_blobs();
            blobs.retain(|blob| !named.contains(blob));
        }
        self.code.forget(blobs).await;
    }

    /// The zips that functions or layers name.
    pub(crate) fn named_blobs(&self) -> HashSet<BlobId> {
        let layers = self.layers.packages().into_iter().map(|code| code.blob);
        self.functions.blobs().into_iter().chain(layers).collect()
    }

    /// Removes the unpacked code that nobody names and no instance runs. Called after changes
    /// that may have left some, and at the start.
    pub(crate) async fn collect_code(&self) {
        let live = || {
            let mut packages = self.functions.packages();
            packages.extend(self.layers.packages().into_iter().map(|code| code.sha256));
            packages
        };
        self.code.collect(live).await;
        self.collect_images().await;
    }
}
