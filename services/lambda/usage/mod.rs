//! What functions used: invocations, errors, time, memory, by version and alias and by minute, and
//! the chains of invocations that one request has caused.
//!
//! Counted in memory on the way of every invocation and written a second later: a kill loses at most
//! that second. `tally` holds the numbers, `chain` the chains, `ledger` what waits to be written,
//! `store` the rows.
//!
//! The numbers have the names of CloudWatch's metrics for Lambda ([`Metrics`]).

mod chain;
mod ledger;
mod metrics;
mod store;
mod tally;
#[cfg(test)]
mod tests;

use kit::{AccountId, Arn, Region};
use serde::{Deserialize, Serialize};

use crate::{functions::Runnable, name::LATEST};

pub(crate) use chain::Chain;
pub(crate) use ledger::{Counting, Usage};
pub use metrics::Metrics;
pub(crate) use store::{KEPT_MINUTES, Span};
pub(crate) use tally::{Charge, Tally};

/// Whose usage: a version, as callers named it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Subject {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) function: String,
    /// `$LATEST` or a number.
    pub(crate) version: String,
    /// The alias or version that was named, or an empty text.
    pub(crate) qualifier: String,
    pub(crate) architecture: Architecture,
}

/// What a function's time is priced as.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub(crate) enum Architecture {
    #[default]
    X86,
    Arm,
}

impl Architecture {
    /// Of `Architectures`.
    pub(crate) fn of(text: &str) -> Architecture {
        if text == "arm64" { Architecture::Arm } else { Architecture::X86 }
    }
}

impl Subject {
    pub(crate) fn of(runnable: &Runnable) -> Subject {
        let function = &runnable.function;
        Subject {
            account: function.account,
            region: function.region.clone(),
            function: function.name.clone(),
            version: function.version.clone(),
            qualifier: runnable.qualifier.clone().unwrap_or_default(),
            architecture: runnable.architecture,
        }
    }

    /// A function whose version is not known.
    pub(crate) fn of_arn(function: &Arn) -> Option<Subject> {
        Some(Subject {
            account: function.account().parse().ok()?,
            region: function.region().parse().ok()?,
            function: function.resource().strip_prefix("function:")?.to_owned(),
            version: LATEST.to_owned(),
            qualifier: String::new(),
            architecture: Architecture::X86,
        })
    }
}
