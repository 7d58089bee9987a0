//! Quotas, each with its source.

/// Bytes of a batch of events, [`EVENT_OVERHEAD_BYTES`] included (API reference, PutLogEvents).
pub(crate) const BATCH_BYTES: usize = 1_048_576;

/// Bytes of one event, [`EVENT_OVERHEAD_BYTES`] included (API reference, PutLogEvents).
pub(crate) const EVENT_BYTES: usize = 1_048_576;

/// What an event counts beside its message (API reference, PutLogEvents).
pub(crate) const EVENT_OVERHEAD_BYTES: usize = 26;

/// How far apart the events of a batch may be (API reference, PutLogEvents).
pub(crate) const BATCH_SPAN_MILLIS: u64 = 24 * 3600 * 1000;

/// How old an event may be (API reference, PutLogEvents).
pub(crate) const OLDEST_MILLIS: u64 = 14 * DAY_MILLIS;

/// How far in the future an event may be (API reference, PutLogEvents).
pub(crate) const NEWEST_MILLIS: u64 = 2 * 3600 * 1000;

/// A day, the unit of retention.
pub(crate) const DAY_MILLIS: u64 = 24 * 3600 * 1000;

/// Bytes of a page of events, as batches count them (API reference, GetLogEvents).
pub(crate) const PAGE_BYTES: usize = 1_048_576;

/// Events of a page (API reference, GetLogEvents).
pub(crate) const PAGE_EVENTS: usize = 10_000;

/// Groups or streams of a page (API reference, DescribeLogGroups).
pub(crate) const PAGE_NAMES: usize = 50;

/// Bytes that one request searches before it answers with what it has; AWS, too, answers with
/// pages that are not full. Ours: about a tenth of a second.
pub(crate) const SEARCH_BYTES: u64 = 32 << 20;

/// Tags of a group (user guide, quotas).
pub(crate) const TAGS: usize = 50;

/// Groups of an account and region (user guide, quotas).
pub(crate) const GROUPS: usize = 1_000_000;

/// The days that a retention may have (API reference, PutRetentionPolicy).
pub(crate) const RETENTION_DAYS: [i32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

/// The earliest start of a search that goes backward: 2024-01-01 (API reference, FilterLogEvents).
pub(crate) const BACKWARD_START_MILLIS: i64 = 1_704_067_200_000;
