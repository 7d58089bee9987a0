//! Every quota, with its source: "Lambda quotas" unless it says otherwise.

/// Invocations of an account in a region at once.
pub(crate) const ACCOUNT_CONCURRENCY: u32 = 1000;
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
