//! Every quota, with its source: "Lambda quotas" unless it says otherwise.

/// Invocations of an account in a region at once, unless the server is told otherwise.
pub const ACCOUNT_CONCURRENCY: u32 = 1000;
/// What reservations must leave to functions without one.
pub(crate) const UNRESERVED_MINIMUM: u32 = 100;
/// Payload of a synchronous invoke, in bytes.
pub(crate) const SYNC_PAYLOAD_BYTES: usize = 6_291_456;
/// Payload of an asynchronous invoke, in bytes.
pub(crate) const ASYNC_PAYLOAD_BYTES: usize = 1_048_576;
/// Payload of the deprecated `InvokeAsync`, in bytes.
pub(crate) const INVOKE_ASYNC_PAYLOAD_BYTES: usize = 262_144;
/// `X-Amz-Client-Context` decoded, in bytes ("Invoke", API reference).
pub(crate) const CLIENT_CONTEXT_BYTES: usize = 3_583;
/// How long an asynchronous event may wait if nothing else is configured, in seconds.
pub(crate) const ASYNC_EVENT_AGE_SECONDS: u32 = 21_600;
/// Retries of an asynchronous event if nothing else is configured.
pub(crate) const ASYNC_RETRIES: u32 = 2;
/// Filters of an event source mapping.
pub(crate) const MAPPING_FILTERS: usize = 5;
/// Characters of a function's name ("CreateFunction", API reference).
pub(crate) const NAME_CHARS: usize = 64;
/// A package in the request itself, in bytes.
pub(crate) const ZIPPED_BYTES: usize = 52_428_800;
/// A package unpacked, in bytes; also the most that is taken from a bucket.
pub(crate) const UNZIPPED_BYTES: u64 = 262_144_000;
/// Layers of a function.
pub(crate) const LAYERS: usize = 5;
/// Files, folders and links of a package. Ours: it bounds what one upload costs the file system.
pub(crate) const PACKAGE_ENTRIES: usize = 100_000;
/// `Timeout` of functions that are not on managed instances, in seconds.
pub(crate) const TIMEOUT_SECONDS: i32 = 900;
/// `MemorySize` of the same, in MiB.
pub(crate) const MEMORY_MIB: i32 = 10_240;
/// `EphemeralStorage` of the same, in MiB.
pub(crate) const EPHEMERAL_MIB: i32 = 10_240;
/// Environment variables as JSON, in bytes.
pub(crate) const ENVIRONMENT_BYTES: usize = 4096;
/// A resource policy, in bytes.
pub(crate) const POLICY_BYTES: usize = 20_480;
/// Tags of a resource ("Using tags on Lambda functions").
pub(crate) const TAGS: usize = 50;
/// Code of all functions of an account in a region, in bytes; shown, not enforced.
pub(crate) const CODE_STORAGE_BYTES: i64 = 80_530_636_800;
/// Items of a page, and the most that one answer holds ("ListFunctions", API reference).
pub(crate) const PAGE: usize = 50;
