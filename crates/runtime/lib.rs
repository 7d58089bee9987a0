//! Function instances: sandbox, pool, starts, Runtime API, languages.
//!
//! Read in this order: `function` (what goes in and out), `pool` (reuse and scale) and `groups`
//! (who waits, who idles), `groups/worth` with `demand` (who goes on idling), `memory` (for how many
//! there is room), `pool/provision` (what is always ready), `start` (one instance's way to ready),
//! `snapshots` and `pool/snapshot` (what instances are forked from), `instance` (one that runs;
//! `bound` keeps it within its memory, `rest` still between invocations),
//! `invoke` (one invocation), `stream` (responses that stream, at the speed of `bandwidth`), `api` (the
//! Runtime API that the instance speaks, over `http`, with `desk` in between), `extensions/` (what runs
//! beside a runtime), `log`, `platform` and `lines` (what is logged), `faults` (what Lambda says when
//! the handler does not), `timeline` (what a start spent its time on), `xray` (where it sends what it
//! traces), `languages/` and `installed` (what serves a runtime), `java` (our classes for a JVM, and
//! its options), `networks` (what each may reach), `sandbox/` (what an instance may not do), `init/`
//! (its first process), `bootstrap/` (what runs inside).

mod api;
mod bandwidth;
mod bootstrap;
mod bound;
mod config;
mod demand;
mod desk;
mod environment;
mod extensions;
mod faults;
mod function;
mod groups;
mod http;
mod image;
mod installed;
mod instance;
mod invoke;
mod java;
mod languages;
mod lines;
mod log;
mod memory;
mod networks;
mod platform;
mod pool;
mod rest;
#[allow(unsafe_code)] // Namespaces, the clone and what runs before exec have no safe interface.
mod sandbox;
mod sdk;
mod snapshots;
mod start;
mod stream;
mod timeline;
mod xray;

pub use config::{Config, Doctor, Networking, RuntimeFinding};
pub use function::*;
pub use groups::{FunctionStatus, PoolStatus};
pub use installed::{Installations, Installed};
pub use languages::{Language, Provider};
pub use memory::MemoryStatus;
pub use pool::{Pool, ProvisionFailure, Provisioned, SnapshotFailure, Snapshotted};
pub use sandbox::{Finding, Isolation};
pub use sdk::{SdkError, install_sdk};
pub use start::StartKind;
pub use stream::Streamed;
pub use timeline::{Reason, Span, Start, Step};
