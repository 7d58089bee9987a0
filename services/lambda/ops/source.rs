//! Where an operation's code comes from: the request itself, a bucket, a folder, or a registry.

use bytes::Bytes;
use kit::Caller;
use model::lambda as api;

use crate::{
    Error, Lambda,
    code::{Brought, Taken},
    image::Content,
    limits, reload,
};

/// What a request says about its code.
pub(crate) struct Source {
    pub(crate) zip_file: Option<Bytes>,
    pub(crate) bucket: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) image: Option<String>,
    pub(crate) kms_key: Option<String>,
    pub(crate) mode: Option<api::S3ObjectStorageMode>,
}

/// What is to be made durable.
pub(crate) enum Fetched {
    Package(Brought),
    /// The name of one.
    Image(String),
}

impl Fetched {
    /// Makes it durable, and fit to run.
    pub(crate) async fn take(self, lambda: &Lambda) -> Result<Taken<'_, Content>, Error> {
        match self {
            Fetched::Package(brought) => Ok(lambda.code.take_from(brought).await?.into_content()),
            Fetched::Image(uri) => lambda.code.take_image(&lambda.clock, &uri).await,
        }
    }
}

impl From<api::FunctionCode> for Source {
    fn from(code: api::FunctionCode) -> Source {
        Source {
            zip_file: code.zip_file,
            bucket: code.s3_bucket,
            key: code.s3_key,
            version: code.s3_object_version,
            image: code.image_uri,
            kms_key: code.source_kms_key_arn,
            mode: code.s3_object_storage_mode,
        }
    }
}

impl From<api::LayerVersionContentInput> for Source {
    fn from(content: api::LayerVersionContentInput) -> Source {
        Source {
            zip_file: content.zip_file,
            bucket: content.s3_bucket,
            key: content.s3_key,
            version: content.s3_object_version,
            image: None,
            kms_key: None,
            mode: content.s3_object_storage_mode,
        }
    }
}

impl Source {
    /// Whether it is what a new function of this package type needs.
    pub(crate) fn fits_create(&self, image: bool) -> Result<(), Error> {
        match (image, &self.image) {
            (true, None) => Err(Error::ImageUriNeeded("creating")),
            (false, Some(_)) => Err(Error::ImageUriUnwanted("creating")),
            _ => Ok(()),
        }
    }

    /// Whether it is of the function's package type, which cannot change.
    pub(crate) fn fits_update(&self, image: bool) -> Result<(), Error> {
        match (image, &self.image) {
            (true, None) => Err(Error::ImageUriNeeded("updating")),
            (false, Some(_)) => Err(Error::ImageUriUnwanted("updating")),
            _ => Ok(()),
        }
    }

    /// What a function runs.
    pub(crate) async fn fetch(
        mut self,
        lambda: &Lambda,
        caller: &Caller,
    ) -> Result<Fetched, Error> {
        match self.image.take() {
            Some(uri) => Ok(Fetched::Image(uri)),
            None => self.package(lambda, caller).await.map(Fetched::Package),
        }
    }

    /// The zip or the folder.
    pub(crate) async fn package(self, lambda: &Lambda, caller: &Caller) -> Result<Brought, Error> {
        if self.zip_file.is_none() && self.bucket.as_deref() == Some(reload::BUCKET) {
            return lambda.folder(caller, self.key).map(Brought::Folder);
        }
        self.zip(lambda, caller).await.map(Brought::Zip)
    }

    async fn zip(self, lambda: &Lambda, caller: &Caller) -> Result<Bytes, Error> {
        if self.kms_key.is_some() {
            return Err(Error::NotBuilt("encrypted packages"));
        }
        if self.mode == Some(api::S3ObjectStorageMode::Reference) {
            return Err(Error::NotBuilt("S3ObjectStorageMode REFERENCE"));
        }
        let object = self.bucket.is_some() || self.key.is_some() || self.version.is_some();
        match (self.zip_file, self.bucket, self.key) {
            (Some(_), _, _) if object => Err(Error::TwoSourcesOfCode),
            (Some(zip), _, _) if zip.len() > limits::ZIPPED_BYTES => Err(Error::ZippedTooLarge),
            (Some(zip), _, _) => Ok(zip),
            (None, Some(bucket), Some(key)) => {
                let objects = lambda.bus.directory().objects();
                let objects = objects.ok_or(Error::NotBuilt("code in buckets without S3"))?;
                let (version, limit) = (self.version.as_deref(), limits::UNZIPPED_BYTES);
                let object = objects.get(caller, &bucket, &key, version, limit).await;
                object.map(|object| object.bytes).map_err(Error::NoSuchObject)
            }
            _ => Err(Error::NoCode),
        }
    }
}
