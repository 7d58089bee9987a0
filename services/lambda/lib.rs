//! AWS Lambda: functions, their versions and aliases, and everything that runs them.
//!
//! Read in this order: `name` (how functions are named), `settings`, `version`, `alias`, `policy`,
//! `management`, `provisioned`, `snapshot`, `function` (one with all that belongs to it), `functions` (all of
//! them), `tenants`, `change`, `package`, `code` and `image` (what they run), `layers/` (what they
//! share), `reload/` (code in developers' folders), `signing/` (whose code it may be), `store` (rows),
//! `table` and `ops/` (operations), `view` (answers); then `invoke/` (running), `target` (events that
//! the bus brings), `sources/` (what is polled), `url/` (functions by HTTP), `surroundings` (what
//! instances get from the rest of the server); last `usage/` (what functions used) and `cost/` (what
//! AWS would take for it).
//!
//! Invariants: all functions are in memory and every change of them was durable first. Code is
//! unpacked and durable before a function names it. An invocation reads no disk.

mod alias;
mod change;
mod code;
pub mod cost;
mod download;
mod error;
mod execution;
mod function;
mod functions;
mod image;
mod invoke;
mod layers;
mod lifecycle;
mod limits;
mod logging;
mod management;
mod name;
mod network;
mod ops;
mod package;
mod policy;
mod provisioned;
mod reload;
mod runtimes;
mod settings;
mod signing;
mod snapshot;
mod sources;
mod store;
mod surroundings;
mod table;
mod target;
mod tenants;
mod told;
mod url;
mod usage;
mod version;
mod view;

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

use ::store::Store;
use bus::Bus;
use images::Images;
use kit::Clock;

use crate::{
    code::CodeStore, download::Signer, functions::Functions, invoke::concurrency::Concurrency,
    layers::Layers, signing::Signings, snapshot::Snapshots, sources::Sources, usage::Usage,
};

pub use crate::{
    download::CODE_PATH, error::Error, limits::ACCOUNT_CONCURRENCY, surroundings::*, usage::Metrics,
};

/// The service and what it needs.
pub struct Lambda {
    pub(crate) functions: Functions,
    pub(crate) layers: Layers,
    pub(crate) code: CodeStore,
    pub(crate) signer: Signer,
    pub(crate) signings: Signings,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) bus: Arc<Bus>,
    pub(crate) pool: Arc<runtime::Pool>,
    pub(crate) concurrency: Concurrency,
    pub(crate) sources: Sources,
    /// Whether functions may run out of this machine's folders.
    pub(crate) hot_reload: AtomicBool,
    pub(crate) usage: Usage,
    pub(crate) snapshots: Snapshots,
}

impl Lambda {
    /// Reads all functions, unpacks what code is missing in `data/code`, and removes code that no
    /// function names. Images lie in `data/images`. The store's blobs must be this service's alone.
    ///
    /// # Errors
    /// The store or the folder cannot be read or written.
    pub async fn open(
        store: Store,
        bus: Arc<Bus>,
        clock: Clock,
        pool: Arc<runtime::Pool>,
        data: &Path,
        images: images::Settings,
    ) -> Result<Arc<Lambda>, Error> {
        let images = Images::open(data.join("images"), images);
        let images = images.map_err(Error::at("opening the folder of images"))?;
        let code = CodeStore::open(data.join("code"), store.blobs().clone(), images)?;
        let loaded = store::load(&store).await?;
        let layers = Layers::new(layers::store::load(&store).await?);
        let usage = Usage::load(&store).await?;
        let versions = loaded.iter().flat_map(|function| function.versions.values());
        let shared = layers.packages();
        code.complete(versions.flat_map(|version| version.packages()).chain(&shared)).await?;
        let lambda = Arc::new(Lambda {
            functions: Functions::new(loaded, &code),
            layers,
            code,
            signer: Signer::default(),
            signings: Signings::load(&store).await?,
            store,
            clock,
            bus,
            pool,
            concurrency: Concurrency::default(),
            sources: Sources::default(),
            hot_reload: AtomicBool::new(false),
            usage,
            snapshots: Snapshots::default(),
        });
        lambda.collect_code().await;
        let named = lambda.named_blobs();
        lambda.store.blobs().collect_orphans(move |blob| named.contains(&blob)).await?;
        Ok(lambda)
    }

    /// Sets how many invocations of an account may run at once in a region, in place of
    /// [`ACCOUNT_CONCURRENCY`].
    pub fn limit_concurrency(&self, places: u32) {
        self.concurrency.set_account(places);
    }

    /// Every operation this service answers.
    pub fn table(self: &Arc<Self>) -> wire::Table {
        table::table(self)
    }
}
