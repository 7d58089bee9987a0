//! Why there is no image.

use std::io;

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was given is not an image's name.
    #[error("{0} does not name an image")]
    Name(String),
    /// The registry does not have it.
    #[error("the registry has no such image")]
    NotFound,
    /// The registry does not give it to these credentials.
    #[error("the registry refuses access")]
    Denied,
    /// A kind of image or layer that cannot be run.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// A part of it is damaged or hostile.
    #[error("{0}")]
    Invalid(String),
    /// All layers together are larger than [`crate::IMAGE_BYTES`].
    #[error("it is larger than {} bytes when it is unpacked", crate::IMAGE_BYTES)]
    TooLarge,
    /// The registry cannot be reached, or does not keep to the protocol.
    #[error("{0}")]
    Registry(String),
    /// The cache cannot be read or written.
    #[error("{step}: {source}")]
    Io {
        /// What was done.
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// Names the step that an input/output error happened in.
    pub(crate) fn at(step: &'static str) -> impl Fn(io::Error) -> Error {
        move |source| Error::Io { step, source }
    }
}
