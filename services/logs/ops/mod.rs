//! One file per operation; small families share one.

pub(crate) mod describe_log_groups;
pub(crate) mod describe_log_streams;
pub(crate) mod filter_log_events;
pub(crate) mod get_log_events;
pub(crate) mod groups;
pub(crate) mod put_log_events;
pub(crate) mod retention;
pub(crate) mod streams;
pub(crate) mod tags;
pub(crate) mod test_metric_filter;
