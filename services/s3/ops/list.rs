//! ListObjects, ListObjectsV2, ListObjectVersions.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use kit::AccountId;
use s3s::dto;

use crate::{
    Error, S3,
    bucket::{self, Bucket},
    http::Call,
    listing::{self, Cursor, KeyEncoding, Listed, Page, Query, Versions},
    moment, rows, version,
};

/// Whether entries name their owner.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owners {
    Shown,
    Hidden,
}

async fn objects_page(
    s3: &S3,
    bucket: &Bucket,
    query: &Query,
    marker: &str,
) -> Result<Page<Listed>, Error> {
    let base = rows::objects(&bucket.row.name);
    let after = (!marker.is_empty()).then(|| query.behind(&base, marker));
    let mut cursor = Cursor::<Listed>::new(&s3.store, base, &query.prefix, after);
    listing::page(query, &mut cursor).await
}

/// ListObjects.
pub(crate) async fn objects(
    s3: Arc<S3>,
    _call: Call,
    input: dto::ListObjectsInput,
) -> Result<dto::ListObjectsOutput, Error> {
    let bucket = s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let keys = KeyEncoding::parse(input.encoding_type.as_ref().map(|e| e.as_str()))?;
    let query = Query::new(input.prefix, input.delimiter, input.max_keys, "maxKeys")?;
    let marker = input.marker.unwrap_or_default();
    let page = objects_page(&s3, &bucket, &query, &marker).await?;
    // S3 names the next marker only where a delimiter makes it hard to guess.
    let next = (page.truncated && query.delimiter.is_some()).then(|| keys.write(&page.last));
    Ok(dto::ListObjectsOutput {
        common_prefixes: common_prefixes(&page, keys),
        is_truncated: Some(page.truncated),
        contents: Some(entries(page, keys, &bucket, Owners::Shown)),
        delimiter: query.delimiter.as_deref().map(|delimiter| keys.write(delimiter)),
        encoding_type: input.encoding_type,
        marker: Some(keys.write(&marker)),
        max_keys: i32::try_from(query.max).ok(),
        name: Some(input.bucket),
        next_marker: next,
        prefix: Some(keys.write(&query.prefix)),
        request_charged: None,
    })
}

/// ListObjectsV2.
pub(crate) async fn objects_v2(
    s3: Arc<S3>,
    _call: Call,
    input: dto::ListObjectsV2Input,
) -> Result<dto::ListObjectsV2Output, Error> {
    let bucket = s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let keys = KeyEncoding::parse(input.encoding_type.as_ref().map(|e| e.as_str()))?;
    let query = Query::new(input.prefix, input.delimiter, input.max_keys, "maxKeys")?;
    let marker = match &input.continuation_token {
        Some(token) => read_token(token)?,
        None => input.start_after.clone().unwrap_or_default(),
    };
    let page = objects_page(&s3, &bucket, &query, &marker).await?;
    let owners = match input.fetch_owner {
        Some(true) => Owners::Shown,
        _ => Owners::Hidden,
    };
    let next = page.truncated.then(|| URL_SAFE_NO_PAD.encode(&page.last));
    Ok(dto::ListObjectsV2Output {
        key_count: i32::try_from(page.items.len() + page.prefixes.len()).ok(),
        common_prefixes: common_prefixes(&page, keys),
        is_truncated: Some(page.truncated),
        contents: Some(entries(page, keys, &bucket, owners)),
        continuation_token: input.continuation_token,
        delimiter: query.delimiter.as_deref().map(|delimiter| keys.write(delimiter)),
        encoding_type: input.encoding_type,
        max_keys: i32::try_from(query.max).ok(),
        name: Some(input.bucket),
        next_continuation_token: next,
        prefix: Some(keys.write(&query.prefix)),
        start_after: input.start_after.map(|after| keys.write(&after)),
        request_charged: None,
    })
}

fn read_token(token: &str) -> Result<String, Error> {
    let decoded = URL_SAFE_NO_PAD.decode(token).ok().and_then(|key| String::from_utf8(key).ok());
    decoded.ok_or_else(|| {
        Error::argument("The continuation token provided is incorrect", "continuation-token", token)
    })
}

/// ListObjectVersions.
pub(crate) async fn versions(
    s3: Arc<S3>,
    _call: Call,
    input: dto::ListObjectVersionsInput,
) -> Result<dto::ListObjectVersionsOutput, Error> {
    let bucket = s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let keys = KeyEncoding::parse(input.encoding_type.as_ref().map(|e| e.as_str()))?;
    let query = Query::new(input.prefix, input.delimiter, input.max_keys, "maxKeys")?;
    let (key_marker, id_marker) = (input.key_marker, input.version_id_marker);
    let sequence = s3.marker_sequence(&bucket, key_marker.as_deref(), id_marker.as_deref()).await?;
    let marker = key_marker.as_deref().filter(|marker| !marker.is_empty());
    let marker = marker.map(|marker| (marker, sequence));
    let mut walk = Versions::new(&s3.store, &bucket.row.name, &query, marker);
    let page = listing::page(&query, &mut walk).await?;
    let last_item = page.items.last().filter(|(key, _)| *key == page.last);
    let next_id = last_item.map(|(_, item)| version_text(item));
    let next_id = next_id.filter(|_| page.truncated);
    let mut output = dto::ListObjectVersionsOutput {
        common_prefixes: common_prefixes(&page, keys),
        delimiter: query.delimiter.as_deref().map(|delimiter| keys.write(delimiter)),
        encoding_type: input.encoding_type,
        is_truncated: Some(page.truncated),
        key_marker: Some(keys.write(&key_marker.unwrap_or_default())),
        max_keys: i32::try_from(query.max).ok(),
        name: Some(input.bucket),
        next_key_marker: page.truncated.then(|| keys.write(&page.last)),
        next_version_id_marker: next_id,
        prefix: Some(keys.write(&query.prefix)),
        version_id_marker: Some(id_marker.unwrap_or_default()),
        ..Default::default()
    };
    let (mut versions, mut markers) = (Vec::new(), Vec::new());
    for (key, item) in page.items {
        let key = keys.write(&key);
        match item.delete_marker {
            true => markers.push(marker_entry(key, item, &bucket)),
            false => versions.push(version_entry(key, item, &bucket)),
        }
    }
    output.versions = Some(versions);
    output.delete_markers = Some(markers);
    Ok(output)
}

impl S3 {
    /// Where in the order of its key a version marker stands.
    async fn marker_sequence(
        &self,
        bucket: &Bucket,
        key: Option<&str>,
        id: Option<&str>,
    ) -> Result<Option<u64>, Error> {
        let Some(id) = id.filter(|id| !id.is_empty()) else { return Ok(None) };
        let Some(key) = key.filter(|key| !key.is_empty()) else {
            return Err(Error::argument(
                "A version-id marker cannot be specified without a key marker.",
                "version-id-marker",
                id,
            ));
        };
        if let Some(sequence) = version::sequence(id) {
            return Ok(Some(sequence));
        }
        let found = match id {
            "null" => self.version(&bucket.row.name, key, id).await?,
            _ => None,
        };
        let invalid = || Error::argument("Invalid version id specified", "version-id-marker", id);
        Ok(Some(found.ok_or_else(invalid)?.object.sequence))
    }
}

fn common_prefixes<T>(page: &Page<T>, keys: KeyEncoding) -> Option<Vec<dto::CommonPrefix>> {
    let prefix = |prefix: &String| dto::CommonPrefix { prefix: Some(keys.write(prefix)) };
    Some(page.prefixes.iter().map(prefix).collect())
}

fn entries(
    page: Page<Listed>,
    keys: KeyEncoding,
    bucket: &Bucket,
    owners: Owners,
) -> Vec<dto::Object> {
    let entry = |(key, item): (String, Listed)| dto::Object {
        checksum_algorithm: algorithm(&item),
        checksum_type: checksum_type(&item),
        e_tag: Some(dto::ETag::Strong(item.etag)),
        key: Some(keys.write(&key)),
        last_modified: Some(moment::timestamp(item.modified)),
        owner: (owners == Owners::Shown).then(|| owner(item.owner, bucket)),
        restore_status: None,
        size: i64::try_from(item.size).ok(),
        storage_class: Some(class(item.storage_class).into()),
    };
    page.items.into_iter().map(entry).collect()
}

fn version_entry(key: String, item: Listed, bucket: &Bucket) -> dto::ObjectVersion {
    dto::ObjectVersion {
        checksum_algorithm: algorithm(&item),
        checksum_type: checksum_type(&item),
        is_latest: Some(item.is_latest),
        key: Some(key),
        last_modified: Some(moment::timestamp(item.modified)),
        owner: Some(owner(item.owner, bucket)),
        restore_status: None,
        size: i64::try_from(item.size).ok(),
        version_id: Some(version_text(&item)),
        e_tag: Some(dto::ETag::Strong(item.etag)),
        storage_class: Some(class(item.storage_class).into()),
    }
}

fn marker_entry(key: String, item: Listed, bucket: &Bucket) -> dto::DeleteMarkerEntry {
    dto::DeleteMarkerEntry {
        is_latest: Some(item.is_latest),
        key: Some(key),
        last_modified: Some(moment::timestamp(item.modified)),
        owner: Some(owner(item.owner, bucket)),
        version_id: Some(version_text(&item)),
    }
}

fn version_text(item: &Listed) -> String {
    item.version.clone().unwrap_or_else(|| "null".to_owned())
}

fn owner(owner: Option<AccountId>, bucket: &Bucket) -> dto::Owner {
    bucket::owner(owner.unwrap_or(bucket.row.account))
}

fn class(class: Option<String>) -> String {
    class.unwrap_or_else(|| "STANDARD".to_owned())
}

fn algorithm(item: &Listed) -> Option<Vec<dto::ChecksumAlgorithm>> {
    let checksum = item.checksum.as_ref()?;
    Some(vec![checksum.algorithm.name().to_owned().into()])
}

fn checksum_type(item: &Listed) -> Option<dto::ChecksumType> {
    item.checksum.as_ref().map(|checksum| checksum.kind.name().to_owned().into())
}
