//! A registry as one image's pull sees it. Everything that it hands out is checked against its
//! digest before it is used, and has a bound.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use futures::TryStreamExt;
use oci_client::{
    Client,
    client::{ClientConfig, ClientProtocol, SizedStream},
    errors::{OciDistributionError, OciErrorCode},
    manifest::OciDescriptor,
    secrets::RegistryAuth,
};
use tokio::{fs::File, io::AsyncWriteExt};

use crate::{Error, IMAGE_BYTES, Settings, credentials, source::Source};

/// A registry that does not take a connection for so long is not there.
const CONNECTS_WITHIN: Duration = Duration::from_secs(10);
/// A registry that says nothing for so long has hung.
const SAYS_SOMETHING_WITHIN: Duration = Duration::from_secs(60);
/// The largest configuration of an image, in bytes; the largest that builders write have a tenth.
const CONFIG_BYTES: u64 = 4 << 20;
/// What layers of container images are called, without `+gzip` and the like.
const LAYERS: [&str; 2] =
    ["application/vnd.docker.image.rootfs.diff.tar", "application/vnd.oci.image.layer.v1.tar"];

/// The registry of one image.
pub(crate) struct Registry<'a> {
    source: &'a Source,
    client: Client,
    auth: RegistryAuth,
}

/// What an image consists of.
pub(crate) struct Manifest {
    /// SHA-256 of the manifest, hexadecimal.
    pub(crate) digest: String,
    /// The lowest first.
    pub(crate) layers: Vec<Layer>,
    config: OciDescriptor,
}

/// One layer.
pub(crate) struct Layer {
    /// SHA-256 of the packed layer, hexadecimal.
    pub(crate) digest: String,
    descriptor: OciDescriptor,
}

/// TLS has several implementations to choose from, and the choice is the process's.
pub(crate) fn choose_cryptography() {
    // An error says that it has been made.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

impl<'a> Registry<'a> {
    pub(crate) async fn open(source: &'a Source, settings: &Settings) -> Registry<'a> {
        let client = Client::new(ClientConfig {
            protocol: match source.plain {
                true => ClientProtocol::Http,
                false => ClientProtocol::Https,
            },
            connect_timeout: Some(CONNECTS_WITHIN),
            read_timeout: Some(SAYS_SOMETHING_WITHIN),
            ..ClientConfig::default()
        });
        let auth = credentials::find(source.place.registry(), settings).await;
        Registry { source, client, auth }
    }

    /// The image's manifest; of a list, the one for this machine.
    pub(crate) async fn manifest(&self) -> Result<Manifest, Error> {
        let place = &self.source.place;
        let (manifest, digest) =
            self.client.pull_image_manifest(place, &self.auth).await.map_err(refused)?;
        let layers = manifest.layers.into_iter().map(Layer::of).collect::<Result<_, _>>()?;
        Ok(Manifest { digest: hexadecimal(&digest)?, layers, config: manifest.config })
    }

    pub(crate) async fn config(&self, manifest: &Manifest) -> Result<Vec<u8>, Error> {
        let mut stream = self.stream(&manifest.config, CONFIG_BYTES).await?;
        let mut config = Vec::new();
        while let Some(bytes) = stream.next(config.len()).await? {
            config.extend_from_slice(&bytes);
        }
        Ok(config)
    }

    /// Writes a layer to a new file. A file that was not fully fetched has no use.
    pub(crate) async fn fetch(&self, layer: &Layer, path: &Path) -> Result<(), Error> {
        let failed = Error::at("writing a packed layer");
        let mut stream = self.stream(&layer.descriptor, IMAGE_BYTES).await?;
        let mut file = File::create_new(path).await.map_err(&failed)?;
        let mut length = 0;
        while let Some(bytes) = stream.next(length).await? {
            file.write_all(&bytes).await.map_err(&failed)?;
            length += bytes.len();
        }
        file.flush().await.map_err(failed)
    }

    async fn stream(&self, of: &OciDescriptor, limit: u64) -> Result<Bounded, Error> {
        hexadecimal(&of.digest)?;
        let size = u64::try_from(of.size).ok().filter(|size| *size <= limit);
        let size = size.ok_or(Error::TooLarge)?;
        let stream = self.client.pull_blob_stream(&self.source.place, of).await;
        Ok(Bounded { stream: stream.map_err(refused)?, size })
    }
}

/// A blob that is no longer than the manifest says.
struct Bounded {
    stream: SizedStream,
    size: u64,
}

impl Bounded {
    /// The bytes after the first `length`; `None` at the end, where the digest has been checked.
    async fn next(&mut self, length: usize) -> Result<Option<Bytes>, Error> {
        let bytes = self.stream.try_next().await;
        let bytes = bytes.map_err(|error| Error::Registry(error.to_string()))?;
        let total = (length + bytes.as_ref().map_or(0, |bytes| bytes.len())) as u64;
        if total > self.size || bytes.is_none() && total < self.size {
            return Err(Error::Registry("a part has another size than its manifest says".into()));
        }
        Ok(bytes)
    }
}

impl Layer {
    fn of(descriptor: OciDescriptor) -> Result<Layer, Error> {
        let kind = descriptor.media_type.split(['+']).next().unwrap_or_default();
        let kind = kind.strip_suffix(".gzip").unwrap_or(kind);
        if !LAYERS.contains(&kind) {
            return Err(Error::Unsupported(descriptor.media_type));
        }
        Ok(Layer { digest: hexadecimal(&descriptor.digest)?, descriptor })
    }
}

/// A digest's hexadecimal part, which is fit to name a folder.
fn hexadecimal(digest: &str) -> Result<String, Error> {
    let digits = digest.strip_prefix("sha256:");
    let lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let fits = |digits: &&str| digits.len() == 64 && digits.bytes().all(lower_hex);
    digits.filter(fits).map(str::to_owned).ok_or_else(|| Error::Unsupported(digest.to_owned()))
}

fn refused(error: OciDistributionError) -> Error {
    use OciDistributionError as E;
    match error {
        E::RegistryError { envelope, .. } => {
            let has =
                |codes: &[OciErrorCode]| envelope.errors.iter().any(|e| codes.contains(&e.code));
            use OciErrorCode as C;
            if has(&[
                C::ManifestUnknown,
                C::NameUnknown,
                C::NotFound,
                C::BlobUnknown,
                C::NameInvalid,
            ]) {
                return Error::NotFound;
            }
            match has(&[C::Unauthorized, C::Denied]) {
                true => Error::Denied,
                false => Error::Registry(envelope.to_string()),
            }
        }
        E::ServerError { code: 404, .. } => Error::NotFound,
        E::ServerError { code: 401 | 403, .. }
        | E::UnauthorizedError { .. }
        | E::AuthenticationFailure(_) => Error::Denied,
        E::ImageManifestNotFoundError(_) => Error::Unsupported(format!(
            "a list without an image for linux/{}",
            std::env::consts::ARCH
        )),
        E::UnsupportedMediaTypeError(_)
        | E::UnsupportedSchemaVersionError(_)
        | E::VersionedParsingError(_)
        | E::ManifestParsingError(_) => Error::Unsupported(error.to_string()),
        error => Error::Registry(chain(&error)),
    }
}

/// An error with what caused it: reqwest's own text names only the address.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
