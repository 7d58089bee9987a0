//! Function instances: sandbox, pool, starts, Runtime API, languages.
//!
//! Read in this order: `function` (what goes in and out), `pool` (reuse and scale), `start` (one
//! instance's way to ready), `api` (the Runtime API that the instance speaks), `sandbox/` (what it
//! may not do).

mod function;
#[allow(unsafe_code)] // Namespaces, the clone and what runs before exec have no safe interface.
mod sandbox;

pub use function::*;
pub use sandbox::{Finding, Isolation};
