//! Every quota of the service with its source: the SQS developer guide's quota pages ("guide") and
//! API reference ("API"), or ours where AWS has none.

use std::ops::RangeInclusive;

/// Entries of one batch request (guide).
pub(crate) const BATCH_ENTRIES: usize = 10;
/// Characters of a batch entry's id (guide).
pub(crate) const BATCH_ID_CHARS: usize = 80;
/// Bytes of one batch request, bodies and attributes (guide: 1 MiB).
pub(crate) const BATCH_BYTES: usize = 1_048_576;
/// Characters of a queue's name, `.fifo` included (guide).
pub(crate) const NAME_CHARS: usize = 80;
/// Queue and message delay (API).
pub(crate) const DELAY_SECONDS: RangeInclusive<i64> = 0..=900;
/// MaximumMessageSize (API); the end is also the default.
pub(crate) const MESSAGE_BYTES: RangeInclusive<i64> = 1_024..=1_048_576;
/// MessageRetentionPeriod (API).
pub(crate) const RETENTION_SECONDS: RangeInclusive<i64> = 60..=1_209_600;
/// ReceiveMessageWaitTimeSeconds and WaitTimeSeconds (API).
pub(crate) const WAIT_SECONDS: RangeInclusive<i64> = 0..=20;
/// VisibilityTimeout (API); the end also bounds the whole time since the receive.
pub(crate) const VISIBILITY_SECONDS: RangeInclusive<i64> = 0..=43_200;
/// KmsDataKeyReusePeriodSeconds (API).
pub(crate) const KMS_REUSE_SECONDS: RangeInclusive<i64> = 60..=86_400;
/// MaxNumberOfMessages (API).
pub(crate) const RECEIVE_MESSAGES: RangeInclusive<i64> = 1..=10;
/// maxReceiveCount of a redrive policy (guide).
pub(crate) const MAX_RECEIVE_COUNT: RangeInclusive<i64> = 1..=1_000;
/// Source queues that a redrive allow policy may name (guide).
pub(crate) const REDRIVE_SOURCES: usize = 10;
/// Attributes of one message (guide).
pub(crate) const MESSAGE_ATTRIBUTES: usize = 10;
/// Bytes of an attribute's name, and of its type (guide).
pub(crate) const ATTRIBUTE_NAME_BYTES: usize = 256;
/// Characters of a group id, deduplication id and receive attempt id (API).
pub(crate) const FIFO_ID_CHARS: usize = 128;
/// How long a deduplication id and a receive attempt id are remembered (guide: 5 minutes).
pub(crate) const DEDUPLICATION_SECONDS: u64 = 300;
/// Receive attempts that a queue remembers (ours); beyond it the oldest are forgotten.
pub(crate) const ATTEMPTS: usize = 10_000;
/// Messages in flight per queue (guide). A standard queue answers a short poll with OverLimit.
pub(crate) const IN_FLIGHT: usize = 120_000;
/// Between two purges of a queue (API).
pub(crate) const PURGE_SECONDS: u64 = 60;
/// Between deleting a queue and creating one of the same name (API).
pub(crate) const DELETED_SECONDS: u64 = 60;
/// Tags of a queue (guide).
pub(crate) const TAGS: usize = 50;
/// Characters of a tag's key and value (guide).
pub(crate) const TAG_KEY_CHARS: usize = 128;
/// Characters of a tag's value (guide).
pub(crate) const TAG_VALUE_CHARS: usize = 256;
/// Results of one page (API); 1,000 are also given when no number is asked for.
pub(crate) const PAGE: RangeInclusive<i64> = 1..=1_000;
/// Actions of one AddPermission (API).
pub(crate) const PERMISSION_ACTIONS: usize = 7;
/// Statements of a queue's policy (guide).
pub(crate) const POLICY_STATEMENTS: usize = 20;
/// Messages a move task moves per second, if it is told (API).
pub(crate) const MOVE_RATE: RangeInclusive<i64> = 1..=500;
/// Finished move tasks that are kept and listed per queue (API: up to 10).
pub(crate) const MOVE_TASKS: usize = 10;

/// Contents up to this size lie in the message's row, and stay in memory while there is room
/// (ours); larger ones have a row of their own, which is read on receive.
pub(crate) const INLINE_BYTES: usize = 4_096;
/// What a message in memory takes besides its content: ids, sender, maps (ours, an estimate).
pub(crate) const MESSAGE_OVERHEAD_BYTES: usize = 512;
/// Contents in memory, all queues together (ours); beyond it they are read on receive.
pub(crate) const CACHE_BYTES: usize = 256 << 20;
/// Deduplication ids that a queue remembers (ours): five minutes of more than 30,000 sends a second.
pub(crate) const DEDUPLICATION_IDS: usize = 10_000_000;
