//! Checksums of objects: what the client claims, what we compute, and how those of parts make one.
//!
//! A full-object checksum covers the bytes; a composite one covers the parts' checksums and ends in
//! `-N`. Source: "Checking object integrity in Amazon S3" of the user guide.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crc_fast::CrcAlgorithm;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto;
use serde::{Deserialize, Serialize};

use crate::Error;

/// The algorithms of S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

/// What a checksum covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// The bytes.
    FullObject,
    /// The checksums of the parts.
    Composite,
}

/// A checksum as it is stored and answered: base64, composite ones with `-N`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checksum {
    pub(crate) algorithm: Algorithm,
    pub(crate) kind: Kind,
    pub(crate) value: String,
}

impl Algorithm {
    /// `CRC32`, as in `x-amz-sdk-checksum-algorithm`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "CRC32",
            Algorithm::Crc32c => "CRC32C",
            Algorithm::Crc64Nvme => "CRC64NVME",
            Algorithm::Sha1 => "SHA1",
            Algorithm::Sha256 => "SHA256",
        }
    }

    /// By its name in any case.
    pub(crate) fn parse(name: &str) -> Result<Algorithm, Error> {
        let all = [
            Algorithm::Crc32,
            Algorithm::Crc32c,
            Algorithm::Crc64Nvme,
            Algorithm::Sha1,
            Algorithm::Sha256,
        ];
        all.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name)).ok_or_else(
            || {
                Error::request(
                    "Checksum algorithm provided is unsupported. Please try again with any of the \
                     valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
                )
            },
        )
    }

    /// The algorithm of a header such as `x-amz-checksum-crc32`.
    pub(crate) fn of_header(name: &str) -> Option<Algorithm> {
        let name = name.trim().to_ascii_lowercase();
        name.strip_prefix("x-amz-checksum-").and_then(|name| Algorithm::parse(name).ok())
    }

    /// What multipart uploads get when they name no type.
    pub(crate) fn default_kind(self) -> Kind {
        if self == Algorithm::Crc64Nvme { Kind::FullObject } else { Kind::Composite }
    }

    fn crc(self) -> Option<(CrcAlgorithm, usize)> {
        match self {
            Algorithm::Crc32 => Some((CrcAlgorithm::Crc32IsoHdlc, 4)),
            Algorithm::Crc32c => Some((CrcAlgorithm::Crc32Iscsi, 4)),
            Algorithm::Crc64Nvme => Some((CrcAlgorithm::Crc64Nvme, 8)),
            Algorithm::Sha1 | Algorithm::Sha256 => None,
        }
    }

    /// Whether multipart uploads may have this type of checksum by this algorithm.
    pub(crate) fn check_kind(self, kind: Kind) -> Result<(), Error> {
        let fits = match kind {
            Kind::FullObject => self.crc().is_some(),
            Kind::Composite => self != Algorithm::Crc64Nvme,
        };
        if fits {
            return Ok(());
        }
        let kind = kind.name();
        let name = self.name().to_ascii_lowercase();
        Err(Error::request(format!(
            "The {kind} checksum type cannot be used with the {name} checksum algorithm."
        )))
    }
}

impl Kind {
    /// `FULL_OBJECT` or `COMPOSITE`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::FullObject => "FULL_OBJECT",
            Kind::Composite => "COMPOSITE",
        }
    }

    /// By its name.
    pub(crate) fn parse(name: &str) -> Result<Kind, Error> {
        match name {
            "FULL_OBJECT" => Ok(Kind::FullObject),
            "COMPOSITE" => Ok(Kind::Composite),
            _ => Err(Error::request("Value for x-amz-checksum-type header is invalid.")),
        }
    }
}

/// Computes a checksum while bytes pass.
pub(crate) enum Hasher {
    Crc32(Crc32),
    Crc32c(Crc32c),
    Crc64Nvme(Crc64Nvme),
    Sha1(Box<Sha1>),
    Sha256(Box<Sha256>),
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Hasher {
        match algorithm {
            Algorithm::Crc32 => Hasher::Crc32(Crc32::new()),
            Algorithm::Crc32c => Hasher::Crc32c(Crc32c::new()),
            Algorithm::Crc64Nvme => Hasher::Crc64Nvme(Crc64Nvme::new()),
            Algorithm::Sha1 => Hasher::Sha1(Box::new(Sha1::new())),
            Algorithm::Sha256 => Hasher::Sha256(Box::new(Sha256::new())),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Crc32(hasher) => hasher.update(bytes),
            Hasher::Crc32c(hasher) => hasher.update(bytes),
            Hasher::Crc64Nvme(hasher) => hasher.update(bytes),
            Hasher::Sha1(hasher) => hasher.update(bytes),
            Hasher::Sha256(hasher) => hasher.update(bytes),
        }
    }

    /// The checksum in base64.
    pub(crate) fn finish(self) -> String {
        match self {
            Hasher::Crc32(hasher) => STANDARD.encode(hasher.finalize()),
            Hasher::Crc32c(hasher) => STANDARD.encode(hasher.finalize()),
            Hasher::Crc64Nvme(hasher) => STANDARD.encode(hasher.finalize()),
            Hasher::Sha1(hasher) => STANDARD.encode(hasher.finalize()),
            Hasher::Sha256(hasher) => STANDARD.encode(hasher.finalize()),
        }
    }
}

/// The checksum of an object out of those of its parts: (checksum in base64, bytes) in order.
/// `None` if a part's is not a checksum of this algorithm.
pub(crate) fn combine(algorithm: Algorithm, kind: Kind, parts: &[(&str, u64)]) -> Option<Checksum> {
    let value = match kind {
        Kind::Composite => {
            let mut hasher = Hasher::new(algorithm);
            for (value, _) in parts {
                hasher.update(&STANDARD.decode(value).ok()?);
            }
            format!("{}-{}", hasher.finish(), parts.len())
        }
        Kind::FullObject => {
            let (crc, width) = algorithm.crc()?;
            let mut sum = None;
            for (value, bytes) in parts {
                let part = STANDARD.decode(value).ok().filter(|part| part.len() == width)?;
                let part = part.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
                sum = Some(match sum {
                    None => part,
                    Some(sum) => crc_fast::checksum_combine(crc, sum, part, *bytes),
                });
            }
            STANDARD.encode(&sum?.to_be_bytes()[8 - width..])
        }
    };
    Some(Checksum { algorithm, kind, value })
}

/// The ETag of an object out of the MD5 sums of its parts.
pub(crate) fn multipart_etag<'a>(etags: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = etags.len();
    let mut md5 = Md5::new();
    etags.for_each(|etag| md5.update(&hex::decode(etag).unwrap_or_default()));
    format!("{}-{count}", hex::encode(md5.finalize()))
}

/// A document with the five members of a checksum.
pub(crate) trait Members {
    /// The members, in the order of [`Algorithm`].
    fn members(&mut self) -> [&mut Option<String>; 5];

    /// Writes a checksum into its member.
    fn set_checksum(&mut self, algorithm: Algorithm, value: &str) {
        *self.members()[algorithm as usize] = Some(value.to_owned());
    }

    /// The one checksum that the client claims.
    fn claim(&mut self) -> Result<Option<(Algorithm, String)>, Error> {
        let mut found = None;
        let all = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"];
        for (name, member) in all.into_iter().zip(self.members()) {
            let Some(value) = member.take() else { continue };
            if found.is_some() {
                return Err(Error::request(
                    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not \
                     allowed.",
                ));
            }
            found = Some((Algorithm::parse(name)?, value));
        }
        Ok(found)
    }
}

macro_rules! members {
    ($($document:ident)*) => {
        $(impl Members for dto::$document {
            fn members(&mut self) -> [&mut Option<String>; 5] {
                [
                    &mut self.checksum_crc32,
                    &mut self.checksum_crc32c,
                    &mut self.checksum_crc64nvme,
                    &mut self.checksum_sha1,
                    &mut self.checksum_sha256,
                ]
            }
        })*
    };
}

members! {
    PutObjectInput PutObjectOutput GetObjectOutput HeadObjectOutput CopyObjectResult
    UploadPartInput UploadPartOutput CopyPartResult CompletedPart Part ObjectPart
    CompleteMultipartUploadInput CompleteMultipartUploadOutput Checksum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(algorithm: Algorithm, bytes: &[u8]) -> String {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    #[test]
    fn a_full_object_checksum_of_parts_is_that_of_the_bytes() {
        for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
            let (one, two) = (sum(algorithm, b"hello "), sum(algorithm, b"world"));
            let whole = combine(algorithm, Kind::FullObject, &[(&one, 6), (&two, 5)]).unwrap();
            assert_eq!(whole.value, sum(algorithm, b"hello world"), "{algorithm:?}");
        }
    }

    #[test]
    fn a_composite_checksum_covers_the_parts_checksums() {
        let one = sum(Algorithm::Sha256, b"hello");
        let whole = combine(Algorithm::Sha256, Kind::Composite, &[(&one, 5)]).unwrap();
        let expected = sum(Algorithm::Sha256, &STANDARD.decode(&one).unwrap());
        assert_eq!(whole.value, format!("{expected}-1"));
        assert_eq!(combine(Algorithm::Sha256, Kind::FullObject, &[(&one, 5)]), None);
    }

    #[test]
    fn two_claims_are_one_too_many() {
        let mut input = dto::CompletedPart {
            checksum_crc32: Some("a".to_owned()),
            checksum_sha1: Some("b".to_owned()),
            ..Default::default()
        };
        assert!(input.claim().is_err());
        assert_eq!(input.claim().unwrap(), None);
    }

    #[test]
    fn the_etag_of_parts_is_the_md5_of_their_md5s() {
        let one = "5d41402abc4b2a76b9719d911017c592";
        assert_eq!(multipart_etag([one].into_iter()), "62109206880d38a4010a98e11243924a-1");
    }
}
