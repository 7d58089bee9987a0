//! S3's quotas (Amazon S3 user guide and API reference) and the bounds of our own.

/// Bytes of an object key in UTF-8.
pub(crate) const KEY_BYTES: usize = 1024;
/// Bytes of one upload: `PutObject`, one part, one copy.
pub(crate) const UPLOAD_BYTES: u64 = 5 << 30;
/// Bytes of user metadata: names and values together.
pub(crate) const METADATA_BYTES: usize = 2048;
/// Bytes of a part that is not the last.
pub(crate) const PART_MIN_BYTES: u64 = 5 << 20;
/// Greatest part number.
pub(crate) const PART_NUMBER_MAX: i32 = 10_000;
/// Entries on a page of a listing.
pub(crate) const PAGE_ENTRIES: usize = 1000;
/// Buckets on a page of `ListBuckets`.
pub(crate) const PAGE_BUCKETS: usize = 10_000;
/// Keys in one `DeleteObjects`.
pub(crate) const DELETE_KEYS: usize = 1000;
/// Buckets of an account (the default quota of general purpose buckets).
pub(crate) const BUCKETS: usize = 10_000;
/// Tags of an object.
pub(crate) const OBJECT_TAGS: usize = 10;
/// Tags of a bucket.
pub(crate) const BUCKET_TAGS: usize = 50;
/// Characters of a tag's key and value.
pub(crate) const TAG_KEY_CHARS: usize = 128;
pub(crate) const TAG_VALUE_CHARS: usize = 256;
/// Bytes of a bucket policy.
pub(crate) const POLICY_BYTES: usize = 20 << 10;
/// Rules of a CORS configuration.
pub(crate) const CORS_RULES: usize = 100;
/// Rules of a lifecycle configuration.
pub(crate) const LIFECYCLE_RULES: usize = 1000;
/// Configurations with an id (analytics, inventory, metrics, tiering) of one kind in a bucket.
pub(crate) const CONFIGURATIONS: usize = 1000;
/// Such configurations on a page.
pub(crate) const PAGE_CONFIGURATIONS: usize = 100;
/// Notification configurations of a bucket.
pub(crate) const NOTIFICATIONS: usize = 100;

/// Objects up to this size lie in their row.
pub(crate) const INLINE_BYTES: usize = 16 << 10;
/// Bytes of a form of `POST` uploads in front of the file (S3 allows 20 KB of fields).
pub(crate) const FORM_BYTES: usize = 20 << 10;
/// Attempts at a change when others change the same row, before S3's own 409.
pub(crate) const ATTEMPTS: usize = 1000;
/// Rows read at a time while listing.
pub(crate) const LIST_ROWS: usize = 1000;
