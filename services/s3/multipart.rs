//! Uploads in parts: their rows, and the rules of completing one.

use kit::{AccountId, Millis};
use s3s::dto;
use serde::{Deserialize, Serialize};
use store::{Batch, BlobId};

use crate::{
    Error, S3,
    checksum::{self, Algorithm, Checksum, Kind, Members},
    limits,
    object::{Body, ManifestPart, Object},
    rows,
};

/// An upload that is not completed yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Upload {
    pub(crate) id: String,
    pub(crate) initiated: Millis,
    pub(crate) initiator: AccountId,
    /// The version it becomes, without bytes.
    pub(crate) object: Object,
    /// `None`: the client named no algorithm; S3 then computes CRC64NVME over the whole.
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) kind: Kind,
}

/// A part of an upload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) number: i32,
    pub(crate) size: u64,
    pub(crate) etag: String,
    pub(crate) modified: Millis,
    /// By the upload's algorithm.
    pub(crate) checksum: String,
    /// Never [`Body::Parts`].
    pub(crate) body: Body,
}

impl Upload {
    /// The algorithm that every part gets a checksum by.
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm.unwrap_or(Algorithm::Crc64Nvme)
    }
}

/// An id for an upload that begins now: ids sort by time.
pub(crate) fn upload_id(now: Millis) -> String {
    format!("{:012x}{}", now.0, kit::ids::hex::<26>())
}

/// Checks a part's number.
pub(crate) fn check_number(number: i32) -> Result<(), Error> {
    if (1..=limits::PART_NUMBER_MAX).contains(&number) {
        return Ok(());
    }
    let message = "Part number must be an integer between 1 and 10000, inclusive";
    Err(Error::argument(message, "partNumber", number))
}

/// What an upload becomes.
#[derive(Debug)]
pub(crate) struct Completed {
    pub(crate) manifest: Vec<ManifestPart>,
    pub(crate) size: u64,
    pub(crate) etag: String,
    pub(crate) checksum: Option<Checksum>,
}

/// Puts an upload together out of the parts that the client lists.
pub(crate) fn complete(
    upload: &Upload,
    parts: &[Part],
    listed: Vec<dto::CompletedPart>,
) -> Result<Completed, Error> {
    if listed.is_empty() {
        return Err(Error::MalformedXML {});
    }
    let numbers = || listed.iter().map(|part| part.part_number.unwrap_or_default());
    if numbers().zip(numbers().skip(1)).any(|(one, next)| one >= next) {
        return Err(Error::InvalidPartOrder { upload: upload.id.clone() });
    }
    let mut chosen: Vec<&Part> = Vec::with_capacity(listed.len());
    let count = listed.len();
    for (index, mut wanted) in listed.into_iter().enumerate() {
        let number = wanted.part_number.unwrap_or_default();
        let part = find(upload, parts, number, wanted.e_tag.as_ref())?;
        check_listed_checksum(upload, part, &mut wanted)?;
        if index + 1 < count && part.size < limits::PART_MIN_BYTES {
            return Err(Error::EntityTooSmall {
                proposed: part.size.to_string(),
                minimum: limits::PART_MIN_BYTES.to_string(),
                part: part.number.to_string(),
                etag: part.etag.clone(),
            });
        }
        chosen.push(part);
    }
    let sums: Vec<(&str, u64)> =
        chosen.iter().map(|part| (part.checksum.as_str(), part.size)).collect();
    let has_own_checksums = upload.algorithm.is_some();
    let manifest = chosen.iter().map(|part| ManifestPart {
        number: part.number,
        size: part.size,
        checksum: has_own_checksums.then(|| part.checksum.clone()),
        body: part.body.clone(),
    });
    Ok(Completed {
        size: chosen.iter().map(|part| part.size).sum(),
        etag: checksum::multipart_etag(chosen.iter().map(|part| part.etag.as_str())),
        checksum: checksum::combine(upload.algorithm(), upload.kind, &sums),
        manifest: manifest.collect(),
    })
}

fn find<'a>(
    upload: &Upload,
    parts: &'a [Part],
    number: i32,
    etag: Option<&dto::ETag>,
) -> Result<&'a Part, Error> {
    let etag = etag.map(|etag| etag.value().trim_matches('"')).unwrap_or_default();
    let found = parts.binary_search_by_key(&number, |part| part.number).ok();
    found.map(|at| &parts[at]).filter(|part| part.etag == etag).ok_or_else(|| Error::InvalidPart {
        upload: upload.id.clone(),
        part: number.to_string(),
        etag: etag.to_owned(),
    })
}

fn check_listed_checksum(
    upload: &Upload,
    part: &Part,
    wanted: &mut dto::CompletedPart,
) -> Result<(), Error> {
    match (wanted.claim()?, upload.algorithm) {
        (Some((algorithm, value)), _) if algorithm == upload.algorithm() => {
            if value == part.checksum {
                return Ok(());
            }
            Err(Error::InvalidPart {
                upload: upload.id.clone(),
                part: part.number.to_string(),
                etag: part.etag.clone(),
            })
        }
        (Some((algorithm, _)), _) => Err(mismatch(upload, algorithm)),
        (None, Some(algorithm)) if upload.kind == Kind::Composite => {
            let (name, number) = (algorithm.name().to_ascii_lowercase(), part.number);
            Err(Error::request(format!(
                "The upload was created using a {name} checksum. The complete request must include \
                 the checksum for each part. It was missing for part {number} in the request."
            )))
        }
        (None, _) => Ok(()),
    }
}

/// A checksum by another algorithm than the upload's.
pub(crate) fn mismatch(upload: &Upload, actual: Algorithm) -> Error {
    let expected = upload.algorithm.map_or("null", Algorithm::name).to_ascii_lowercase();
    let actual = actual.name().to_ascii_lowercase();
    Error::request(format!(
        "Checksum Type mismatch occurred, expected checksum Type: {expected}, actual checksum \
         Type: {actual}"
    ))
}

impl S3 {
    /// An upload with the number of the commit that wrote its row.
    pub(crate) async fn upload(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
    ) -> Result<(Upload, u64), Error> {
        let missing = || Error::NoSuchUpload { upload: id.to_owned() };
        let row = self.store.get(&rows::upload(bucket, key, id)).await?.ok_or_else(missing)?;
        Ok((row.decode()?, row.version))
    }

    /// The parts of an upload in order, each with the number of the commit that wrote it.
    pub(crate) async fn parts_of(&self, upload: &str) -> Result<Vec<(Part, u64)>, Error> {
        let most = limits::PART_NUMBER_MAX as usize;
        let rows = self.store.rows(&rows::parts(upload), None, most).await?;
        rows.iter().map(|row| Ok((row.decode()?, row.version))).collect()
    }

    /// Adds the removal of all uploads in a bucket to a batch; answers with the bytes that leaves.
    pub(crate) async fn discard_uploads(
        &self,
        bucket: &str,
        batch: &mut Batch,
    ) -> Result<Vec<BlobId>, Error> {
        let mut uploads: Vec<String> = Vec::new();
        let each = |_, upload: Upload| uploads.push(upload.id);
        self.store.scan(&rows::uploads(bucket), each).await?;
        let mut garbage = Vec::new();
        for upload in uploads {
            let parts = self.parts_of(&upload).await?;
            garbage.extend(parts.iter().filter_map(|(part, _)| blob(&part.body)));
            batch.delete_all(rows::parts(&upload));
        }
        batch.delete_all(rows::uploads(bucket));
        Ok(garbage)
    }
}

/// The blob of a body.
pub(crate) fn blob(body: &Body) -> Option<BlobId> {
    match body {
        Body::Blob(id) => Some(*id),
        Body::Inline(_) | Body::Parts(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: u64 = limits::PART_MIN_BYTES;

    fn upload(algorithm: Option<Algorithm>, kind: Kind) -> Upload {
        Upload {
            id: "u".to_owned(),
            initiated: Millis(1),
            initiator: AccountId::DEFAULT,
            object: Object::default(),
            algorithm,
            kind,
        }
    }

    fn part(number: i32, size: u64) -> Part {
        Part {
            number,
            size,
            etag: format!("{number:032x}"),
            modified: Millis(1),
            checksum: "AAAAAAAAAAA=".to_owned(),
            body: Body::default(),
        }
    }

    fn list(numbers: &[i32]) -> Vec<dto::CompletedPart> {
        let one = |number: &i32| dto::CompletedPart {
            part_number: Some(*number),
            e_tag: Some(dto::ETag::Strong(format!("{number:032x}"))),
            ..Default::default()
        };
        numbers.iter().map(one).collect()
    }

    #[test]
    fn parts_come_in_order_and_large_enough() {
        let parts = [part(1, MIN), part(2, MIN - 1), part(5, 1)];
        let plain = upload(None, Kind::FullObject);
        let whole = complete(&plain, &parts, list(&[1, 5])).unwrap();
        assert_eq!((whole.size, whole.manifest.len()), (MIN + 1, 2));
        assert!(whole.etag.ends_with("-2"));
        assert!(whole.checksum.is_some());
        let error = |numbers: &[i32]| complete(&plain, &parts, list(numbers)).unwrap_err();
        assert!(matches!(error(&[5, 1]), Error::InvalidPartOrder { .. }));
        assert!(matches!(error(&[1, 1]), Error::InvalidPartOrder { .. }));
        assert!(matches!(error(&[1, 2, 5]), Error::EntityTooSmall { .. }));
        assert!(matches!(error(&[3]), Error::InvalidPart { .. }));
        assert!(matches!(error(&[]), Error::MalformedXML {}));
    }

    #[test]
    fn a_composite_checksum_needs_that_of_every_part() {
        let parts = [part(1, 1)];
        let sha = upload(Some(Algorithm::Sha256), Kind::Composite);
        assert!(matches!(complete(&sha, &parts, list(&[1])), Err(Error::InvalidRequest { .. })));
        let mut listed = list(&[1]);
        listed[0].checksum_sha256 = Some("AAAAAAAAAAA=".to_owned());
        assert!(complete(&sha, &parts, listed.clone()).is_ok());
        listed[0].checksum_sha256 = Some("other".to_owned());
        assert!(matches!(complete(&sha, &parts, listed), Err(Error::InvalidPart { .. })));
    }
}
