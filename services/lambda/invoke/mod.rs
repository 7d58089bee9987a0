//! Running a function: synchronously, or from an event that waits in the outbox.
//!
//! `concurrency` says whether there is a place and `rate` whether it comes too fast, `lineage` finds
//! loops, `run` takes a place and asks the pool, `event` holds the rules of asynchronous events
//! (retries, age). When one has ended, `conclude` tells its destination and its dead-letter queue, in
//! the form that `record` knows; `destination` checks what may be one.

pub(crate) mod conclude;
pub(crate) mod concurrency;
pub(crate) mod destination;
pub(crate) mod event;
pub(crate) mod lineage;
pub(crate) mod rate;
pub(crate) mod record;
pub(crate) mod run;
pub(crate) mod trace;
