//! Function instances: sandbox, pool, starts, Runtime API, languages.
//!
//! Read in this order: `function` (what goes in and out), `pool` (reuse and scale) and `groups`
//! (who waits, who idles), `groups/worth` with `demand` (who goes on idling), `memory` (for how many
//! there is room), `pool/provision` (what is always ready), `start` (one instance's way to
//! ready), `instance` (one that runs), `invoke` (one invocation), `stream` (responses that stream, at
//! the speed of `bandwidth`), `api` (the Runtime API that the instance speaks, over `http`, with
//! `desk` in between), `log` and `lines` (what is logged), `faults` (what Lambda says when the
//! handler does not), `timeline` (what a start spent its time on), `sandbox/` (what an instance may not do), `init/` (its first process),
//! `bootstrap/` (what runs inside).

mod api;
mod bandwidth;
mod bootstrap;
mod config;
mod demand;
mod desk;
mod environment;
mod faults;
mod function;
mod groups;
mod http;
mod image;
mod instance;
mod invoke;
mod languages;
mod lines;
mod log;
mod memory;
mod pool;
#[allow(unsafe_code)] // Namespaces, the clone and what runs before exec have no safe interface.
mod sandbox;
mod sdk;
mod start;
mod stream;
mod timeline;

pub use config::{Config, Doctor};
pub use function::*;
pub use groups::{FunctionStatus, PoolStatus};
pub use languages::{Language, Provider};
pub use memory::MemoryStatus;
pub use pool::{Pool, ProvisionFailure, Provisioned};
pub use sandbox::{Finding, Isolation};
pub use sdk::{SdkError, install_sdk};
pub use start::StartKind;
pub use stream::Streamed;
pub use timeline::{Reason, Span, Start, Step};
