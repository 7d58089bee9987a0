//! Functions whose code is a container image. The image is fetched when a function names it, and
//! what its tag meant then stays: versions run the image of that digest.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
    time::Duration,
};

use images::Images;
use kit::Clock;
use model::lambda as api;
use serde::{Deserialize, Serialize};
use store::BlobId;

use crate::{
    Error, Lambda,
    code::{Code, CodeStore, Taken},
    settings::Settings,
};

/// Fetching a large image takes minutes; a client that waits no longer asks again and finds what
/// was fetched meanwhile.
const FETCH_LIMIT: Duration = Duration::from_secs(15 * 60);

/// What a version runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
// Rows of packages have been there before images were.
#[serde(untagged)]
pub(crate) enum Content {
    Package(Code),
    Image(Image),
}

/// A container image of one digest, whose tree is in the cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Image {
    /// As the user named it.
    pub(crate) uri: String,
    /// With the digest in place of a tag.
    pub(crate) resolved: String,
    /// SHA-256 of the manifest, lower-case hexadecimal.
    pub(crate) digest: String,
    /// Digests of its layers, the lowest first.
    pub(crate) layers: Vec<String>,
    pub(crate) entrypoint: Vec<String>,
    pub(crate) command: Vec<String>,
    pub(crate) working_directory: String,
    pub(crate) environment: BTreeMap<String, String>,
}

/// `ImageConfig`: what goes before the image's own settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ImageConfig {
    pub(crate) entrypoint: Vec<String>,
    pub(crate) command: Vec<String>,
    pub(crate) working_directory: String,
}

impl Content {
    /// `CodeSha256`: of a package in base64, of an image in hexadecimal.
    pub(crate) fn shown_sha256(&self) -> String {
        match self {
            Content::Package(code) => code.base64(),
            Content::Image(image) => image.digest.clone(),
        }
    }

    /// `CodeSize`: of an image, 0.
    pub(crate) fn bytes(&self) -> u64 {
        self.package().map_or(0, |code| code.bytes)
    }

    /// The zip, if it is a package.
    pub(crate) fn blob(&self) -> Option<BlobId> {
        self.package().map(|code| code.blob)
    }

    pub(crate) fn package(&self) -> Option<&Code> {
        match self {
            Content::Package(code) => Some(code),
            Content::Image(_) => None,
        }
    }

    pub(crate) fn image(&self) -> Option<&Image> {
        match self {
            Content::Image(image) => Some(image),
            Content::Package(_) => None,
        }
    }

    /// Whether it is the same, whenever it was uploaded and however it was named.
    pub(crate) fn is_same(&self, other: &Content) -> bool {
        match (self, other) {
            (Content::Package(a), Content::Package(b)) => {
                a.sha256 == b.sha256 && a.folder == b.folder
            }
            (Content::Image(a), Content::Image(b)) => a.digest == b.digest,
            _ => false,
        }
    }
}

impl From<Code> for Content {
    fn from(code: Code) -> Content {
        Content::Package(code)
    }
}

impl Image {
    fn new(uri: &str, image: images::Image) -> Image {
        let images::Image { digest, resolved, layers, defaults } = image;
        let images::Defaults { entrypoint, command, working_directory, environment } = defaults;
        let uri = uri.to_owned();
        Image { uri, resolved, digest, layers, entrypoint, command, working_directory, environment }
    }

    /// In the form in which the pool runs it.
    pub(crate) fn run(&self, settings: &Settings, images: &Images) -> runtime::Image {
        let config = settings.image.clone().unwrap_or_default();
        let or = |own: Vec<String>, images: &Vec<String>| match own.is_empty() {
            true => images.clone(),
            false => own,
        };
        runtime::Image {
            root: images.root(&self.digest),
            entrypoint: or(config.entrypoint, &self.entrypoint),
            command: or(config.command, &self.command),
            working_directory: match config.working_directory.as_str() {
                "" => self.working_directory.clone(),
                own => own.to_owned(),
            },
            environment: self.environment.clone(),
        }
    }
}

impl From<api::ImageConfig> for ImageConfig {
    fn from(config: api::ImageConfig) -> ImageConfig {
        ImageConfig {
            entrypoint: config.entry_point.unwrap_or_default(),
            command: config.command.unwrap_or_default(),
            working_directory: config.working_directory.unwrap_or_default(),
        }
    }
}

impl ImageConfig {
    /// As answers show it: what is set, and nothing if nothing is.
    pub(crate) fn shown(&self) -> Option<api::ImageConfigResponse> {
        if *self == ImageConfig::default() {
            return None;
        }
        let list = |list: &Vec<String>| Some(list.clone()).filter(|list| !list.is_empty());
        let folder = Some(self.working_directory.clone()).filter(|folder| !folder.is_empty());
        let image_config = Some(api::ImageConfig {
            entry_point: list(&self.entrypoint),
            command: list(&self.command),
            working_directory: folder,
        });
        Some(api::ImageConfigResponse { image_config, error: None })
    }
}

impl CodeStore {
    /// Makes an image's tree durable.
    pub(crate) async fn take_image(
        &self,
        clock: &Clock,
        uri: &str,
    ) -> Result<Taken<'_, Content>, Error> {
        let naming = self.naming.read().await;
        let pulled = clock.within(FETCH_LIMIT, self.images.pull(uri)).await;
        let pulled = pulled.ok_or_else(|| Error::ImageNotFetched {
            image: uri.to_owned(),
            why: format!("it took longer than {} seconds", FETCH_LIMIT.as_secs()),
        })?;
        let image = pulled.map_err(|error| refused(uri, error))?;
        Ok(Taken { code: Content::Image(Image::new(uri, image)), _naming: naming })
    }

    /// Removes the trees and layers of images that `live` does not name, as [`CodeStore::collect`]
    /// does with packages.
    async fn collect_images(&self, live: impl FnOnce() -> LiveImages) {
        let Ok(_alone) = self.naming.try_write() else { return };
        let (images, live) = (self.images.clone(), live());
        let collected =
            tokio::task::spawn_blocking(move || images.collect(&live.roots, &live.layers));
        let collected = collected.await.map_err(io::Error::from).flatten();
        if let Err(error) = collected {
            tracing::warn!(%error, "removing container images failed");
        }
    }
}

/// The images that are still of use, by digest.
#[derive(Default)]
pub(crate) struct LiveImages {
    pub(crate) roots: BTreeSet<String>,
    pub(crate) layers: BTreeSet<String>,
}

impl LiveImages {
    pub(crate) fn add(&mut self, image: &Image) {
        self.roots.insert(image.digest.clone());
        self.layers.extend(image.layers.iter().cloned());
    }

    /// One that instances still run: its tree holds the files of its layers.
    pub(crate) fn add_running(&mut self, run: &Arc<runtime::Function>) {
        let name = run.image.as_ref().and_then(|image| image.root.file_name()?.to_str());
        self.roots.extend(name.map(str::to_owned));
    }
}

impl Lambda {
    /// Whether this server can run images.
    pub(crate) fn check_images(&self) -> Result<(), Error> {
        self.pool.check_images().map_err(|error| Error::RuntimeMissing(error.to_string()))
    }

    /// Removes the images that no function names and no instance runs.
    pub(crate) async fn collect_images(&self) {
        self.code.collect_images(|| self.functions.images()).await;
    }
}

fn refused(uri: &str, error: images::Error) -> Error {
    use images::Error as E;
    let image = uri.to_owned();
    match error {
        E::NotFound => Error::ImageMissing(image),
        E::Denied => Error::ImageDenied,
        E::Unsupported(what) => Error::ImageUnsupported { image, what },
        E::Registry(why) => Error::ImageNotFetched { image, why },
        E::Name(_) | E::Invalid(_) | E::TooLarge => {
            Error::ImageInvalid { image, why: error.to_string() }
        }
        E::Io { step, source } => match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::DiskFull,
            _ => Error::at(step)(source),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Image {
        Image {
            uri: "host/app:1".to_owned(),
            resolved: "host/app@sha256:ab".to_owned(),
            digest: "ab".to_owned(),
            layers: vec![],
            entrypoint: vec!["/entry".to_owned()],
            command: vec!["app.handler".to_owned()],
            working_directory: "/app".to_owned(),
            environment: BTreeMap::new(),
        }
    }

    #[test]
    fn rows_of_packages_and_images_tell_themselves_apart() {
        let blob = "a".repeat(32).try_into().unwrap();
        let code = Code { sha256: "b".repeat(64), bytes: 1, blob, folder: None };
        let old = serde_json::to_string(&code).unwrap();
        assert_eq!(serde_json::from_str::<Content>(&old).unwrap(), Content::Package(code));
        let row = serde_json::to_string(&Content::Image(image())).unwrap();
        assert_eq!(serde_json::from_str::<Content>(&row).unwrap(), Content::Image(image()));
    }

    #[test]
    fn the_functions_settings_go_before_the_images() {
        let folder = tempfile::tempdir().unwrap();
        let images = Images::open(folder.path().to_owned(), images::Settings::default()).unwrap();
        let mut settings = Settings::default();
        let run = image().run(&settings, &images);
        assert_eq!((run.entrypoint, run.command), (image().entrypoint, image().command));
        assert_eq!(run.root, folder.path().join("roots/ab"));
        settings.image = Some(ImageConfig {
            command: vec!["other.handler".to_owned()],
            working_directory: "/other".to_owned(),
            ..ImageConfig::default()
        });
        let run = image().run(&settings, &images);
        assert_eq!(run.entrypoint, image().entrypoint);
        assert_eq!(
            (run.command[0].as_str(), run.working_directory),
            ("other.handler", "/other".into())
        );
    }

    #[test]
    fn what_is_not_set_is_not_shown() {
        assert_eq!(ImageConfig::default().shown(), None);
        let config = ImageConfig { command: vec!["c".to_owned()], ..ImageConfig::default() };
        let shown = config.shown().unwrap().image_config.unwrap();
        assert_eq!((shown.entry_point, shown.working_directory), (None, None));
        assert_eq!(shown.command, Some(vec!["c".to_owned()]));
    }
}
