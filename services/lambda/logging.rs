//! Whether functions' roles let their lines be kept: on AWS a function writes its log itself, with the
//! permissions of its role, and a role without them gets none.
//!
//! Asked once for a stream, and again when an identity or its policies, or what has to be made for the
//! lines, have changed. Lines themselves cost nothing.

use std::{collections::HashMap, sync::Arc};

use bus::{Directory, Lacking};
use kit::{Arn, Authority, Clock};
use runtime::Function;

use crate::execution;

/// Streams whose answer is remembered; when there are more, all are asked about again.
const MAX_STREAMS: usize = 4096;

/// The answers, by stream. Each instance has a stream of its own, and one role.
pub(crate) struct LogPermits {
    directory: Arc<Directory>,
    clock: Clock,
    kept: HashMap<String, Kept>,
}

struct Kept {
    edition: u64,
    lacking: Lacking,
    allowed: bool,
}

impl LogPermits {
    pub(crate) fn new(directory: Arc<Directory>, clock: Clock) -> LogPermits {
        LogPermits { directory, clock, kept: HashMap::new() }
    }

    /// Whether a function's lines may go to a stream for which this has to be made first.
    pub(crate) fn allow(&mut self, function: &Function, stream: &str, lacking: Lacking) -> bool {
        let Some(authority) = self.directory.authority() else { return true };
        let edition = authority.edition();
        let kept = self.kept.get(stream);
        if let Some(kept) = kept.filter(|it| it.edition == edition && it.lacking == lacking) {
            return kept.allowed;
        }
        let allowed = asked(&**authority, &self.clock, function, stream, lacking);
        if !allowed {
            tracing::info!(group = function.log_group, stream, "the role may not write this log");
        }
        if self.kept.len() >= MAX_STREAMS {
            self.kept.clear();
        }
        self.kept.insert(stream.to_owned(), Kept { edition, lacking, allowed });
        allowed
    }
}

fn asked(
    authority: &dyn Authority,
    clock: &Clock,
    function: &Function,
    stream: &str,
    lacking: Lacking,
) -> bool {
    let (account, region) = (function.account, &function.region);
    let group = &function.log_group;
    let arn = |stream: &str| {
        let resource = format!("log-group:{group}:log-stream:{stream}");
        Arn::new("logs", region.as_str(), account.as_str(), resource)
    };
    let needed = [
        ("logs:CreateLogGroup", arn(""), lacking == Lacking::Group),
        ("logs:CreateLogStream", arn(stream), lacking != Lacking::Nothing),
        ("logs:PutLogEvents", arn(stream), true),
    ];
    let mut needed = needed.iter().filter(|(_, _, needed)| *needed);
    needed.all(|(action, resource, _)| {
        execution::role_may(authority, function, action, resource, clock.now())
    })
}
