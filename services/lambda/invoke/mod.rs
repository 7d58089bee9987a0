//! Running a function: synchronously, or from an event that waits in the outbox.
//!
//! `concurrency` says whether there is a place and `rate` whether it comes too fast, `lineage` finds
//! loops, `run` takes one and asks the pool, `event` holds the
//! rules of asynchronous events (retries, age, what happens at the end).

pub(crate) mod concurrency;
pub(crate) mod event;
pub(crate) mod lineage;
pub(crate) mod rate;
pub(crate) mod run;
pub(crate) mod trace;
