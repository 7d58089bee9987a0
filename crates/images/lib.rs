//! Container images: fetched from a registry and unpacked into folders that an instance takes as
//! its root. No Docker.
//!
//! Read in this order: `source` (what an image's name means), `registry` and `credentials` (how its
//! parts are fetched), `header` and `unpack` (a layer as a folder), `merge` (the layers of an image
//! as one tree), `cache` (where both lie).
//!
//! Always true: what has its name in the cache is whole, synced and never written to again. Layers
//! are unpacked once each; an image's tree consists of hard links to their files, so it costs no
//! room of its own, needs no overlay and can be mounted by anybody. A layer is input of strangers:
//! nothing in it may lead outside its folder, become special, or cost more than the limits.

mod cache;
mod config;
mod credentials;
mod error;
mod header;
mod merge;
mod registry;
mod source;
mod unpack;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::PathBuf,
};

use futures::{StreamExt, TryStreamExt, stream};

use crate::{
    cache::Cache,
    registry::{Layer, Registry},
    source::Source,
};

pub use config::Defaults;
pub use error::Error;

/// Most bytes of all unpacked layers of an image ("Lambda quotas": 10 GB).
pub const IMAGE_BYTES: u64 = 10 << 30;
/// Layers that are fetched and unpacked at once: one is downloaded while another is written.
const LAYERS_AT_ONCE: usize = 3;

/// Where images come from.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The registry that stands for ECR: `127.0.0.1:5000`. `None`: ECR itself.
    pub ecr: Option<String>,
    /// Registries that are spoken to without TLS, besides those on loopback.
    pub insecure_registries: Vec<String>,
    /// User and password by registry; they go before what `docker login` has kept.
    pub credentials: BTreeMap<String, Credentials>,
}

/// What a registry asks for.
#[derive(Clone)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// The password or token.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// An image whose tree is in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// SHA-256 of its manifest, lower-case hexadecimal; names its tree.
    pub digest: String,
    /// Its name with the digest in place of a tag: `host/repository@sha256:…`.
    pub resolved: String,
    /// Digests of its layers, the lowest first.
    pub layers: Vec<String>,
    /// What it says of itself.
    pub defaults: Defaults,
}

/// All images of a data folder.
pub struct Images {
    cache: Cache,
    settings: Settings,
}

impl Images {
    /// Opens the folder, makes it if it is missing, and removes what was left unfinished.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub fn open(folder: PathBuf, settings: Settings) -> io::Result<Images> {
        registry::choose_cryptography();
        Ok(Images { cache: Cache::open(folder)?, settings })
    }

    /// The tree of an image: a folder with everything in it, and with the places where `/dev`,
    /// `/proc` and `/tmp` are mounted.
    pub fn root(&self, digest: &str) -> PathBuf {
        self.cache.root(digest)
    }

    /// Fetches and unpacks what is missing of an image. Whoever asks for what is on its way waits
    /// for it.
    ///
    /// # Errors
    /// The image is not there, may not be read, or is not fit to run.
    pub async fn pull(&self, name: &str) -> Result<Image, Error> {
        let source = Source::parse(name, &self.settings)?;
        let registry = Registry::open(&source, &self.settings).await;
        let manifest = registry.manifest().await?;
        let defaults = Defaults::read(&registry.config(&manifest).await?)?;
        let fetches = manifest.layers.iter().map(|layer| self.layer(&registry, layer));
        let fetches: Vec<_> = fetches.collect();
        stream::iter(fetches).buffer_unordered(LAYERS_AT_ONCE).try_collect::<Vec<()>>().await?;
        let layers: Vec<String> = manifest.layers.into_iter().map(|layer| layer.digest).collect();
        self.merge(&manifest.digest, &layers).await?;
        let resolved = source.resolved(&manifest.digest);
        Ok(Image { digest: manifest.digest, resolved, layers, defaults })
    }

    async fn layer(&self, registry: &Registry<'_>, layer: &Layer) -> Result<(), Error> {
        let _turn = self.cache.turn(&layer.digest).await;
        let path = self.cache.layer(&layer.digest);
        if path.is_dir() {
            return Ok(());
        }
        let scratch = self.cache.scratch()?;
        let blob = scratch.path.join("blob");
        registry.fetch(layer, &blob).await?;
        blocking(move || {
            let tree = scratch.path.join("tree");
            unpack::layer(&blob, &tree)?;
            cache::publish(&tree, &path)
        })
        .await
    }

    async fn merge(&self, digest: &str, layers: &[String]) -> Result<(), Error> {
        let _turn = self.cache.turn(digest).await;
        let path = self.cache.root(digest);
        if path.is_dir() {
            return Ok(());
        }
        let scratch = self.cache.scratch()?;
        let layers: Vec<PathBuf> = layers.iter().map(|layer| self.cache.layer(layer)).collect();
        blocking(move || {
            let tree = scratch.path.join("tree");
            merge::layers(&layers, &tree)?;
            cache::publish(&tree, &path)
        })
        .await
    }

    /// Removes all trees and layers but these. Not while an image is on its way.
    ///
    /// # Errors
    /// A folder cannot be removed.
    pub fn collect(&self, roots: &BTreeSet<String>, layers: &BTreeSet<String>) -> io::Result<()> {
        self.cache.collect(roots, layers)
    }
}

/// Runs file operations where they may block.
async fn blocking(work: impl FnOnce() -> Result<(), Error> + Send + 'static) -> Result<(), Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Error::at("unpacking")(error.into())))
}
