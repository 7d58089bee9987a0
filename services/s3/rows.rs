//! Keys and rows of S3; the only file that knows how they are laid out.
//!
//! | table | key | row |
//! | --- | --- | --- |
//! | `s3/bucket` | name | [`BucketRow`](crate::bucket::BucketRow) |
//! | `s3/object` | bucket, key | the latest version, unless that is a delete marker |
//! | `s3/version` | bucket, key, !sequence | older versions and all delete markers, the newest first |
//! | `s3/manifest` | id | [`Manifest`](crate::object::Manifest) of a multipart upload's object |
//! | `s3/upload` | bucket, key, upload | [`Upload`](crate::multipart::Upload) |
//! | `s3/part` | upload, number | [`Part`](crate::multipart::Part) |
//!
//! Always true: a key without a row in `s3/object` has a delete marker as its newest row in
//! `s3/version`, or no row at all. So a listing reads `s3/object` alone, and reading an object is
//! one look-up.

use store::Key;

/// All buckets.
pub(crate) fn buckets() -> Key {
    Key::table("s3/bucket")
}

/// A bucket.
pub(crate) fn bucket(name: &str) -> Key {
    buckets().text(name)
}

/// The latest versions in a bucket.
pub(crate) fn objects(bucket: &str) -> Key {
    Key::table("s3/object").text(bucket)
}

/// The latest version of a key.
pub(crate) fn object(bucket: &str, key: &str) -> Key {
    objects(bucket).text(key)
}

/// The older versions and delete markers in a bucket.
pub(crate) fn versions(bucket: &str) -> Key {
    Key::table("s3/version").text(bucket)
}

/// Those of a key.
pub(crate) fn versions_of(bucket: &str, key: &str) -> Key {
    versions(bucket).text(key)
}

/// One of them. The complement of the number puts the newest first.
pub(crate) fn version(bucket: &str, key: &str, sequence: u64) -> Key {
    versions_of(bucket, key).number(!sequence)
}

/// A multipart object's parts.
pub(crate) fn manifest(id: &str) -> Key {
    Key::table("s3/manifest").text(id)
}

/// The uploads in a bucket.
pub(crate) fn uploads(bucket: &str) -> Key {
    Key::table("s3/upload").text(bucket)
}

/// The uploads of a key.
pub(crate) fn uploads_of(bucket: &str, key: &str) -> Key {
    uploads(bucket).text(key)
}

/// An upload.
pub(crate) fn upload(bucket: &str, key: &str, upload: &str) -> Key {
    uploads_of(bucket, key).text(upload)
}

/// The parts of an upload.
pub(crate) fn parts(upload: &str) -> Key {
    Key::table("s3/part").text(upload)
}

/// A part.
pub(crate) fn part(upload: &str, number: i32) -> Key {
    parts(upload).number(u64::from(number.unsigned_abs()))
}
