//! Extensions: programs beside the runtime, which learn of invocations and of the instance's end, and
//! may read its logs and measurements.
//!
//! Always true: an invocation is over when the runtime and all extensions have asked for their next
//! event; whoever invoked has the response before. An instance without extensions pays nothing for
//! them. Read in this order: `roster` (who there is, and what each is doing), `refused` (what they are
//! told), `api` (their requests), `launch` (what is started), `shutdown` (how an instance that has some
//! ends), `telemetry/` (what they may subscribe to).

pub(crate) mod api;
pub(crate) mod launch;
pub(crate) mod refused;
pub(crate) mod roster;
pub(crate) mod shutdown;
pub(crate) mod telemetry;
