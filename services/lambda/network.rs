//! The network that a function asks for, by a tag: all that makes functions can set tags, and nothing of
//! AWS's own would do.

use ::network::{Mode, UnknownMode};
use kit::Tags;

use crate::{Error, Lambda};

/// The tag: `none`, `egress` or `host`.
const TAG: &str = "lampejo:network";

impl Lambda {
    /// Whether a function may have these tags on this server.
    pub(crate) fn check_network(&self, tags: &Tags) -> Result<(), Error> {
        let Some(word) = tags.get(TAG) else { return Ok(()) };
        let refused = |why: String| Error::InvalidParameter(format!("The tag {TAG}: {why}."));
        let mode: Mode =
            word.parse().map_err(|error: UnknownMode| refused(format!("{error}, not {word}")))?;
        self.pool.check_network(mode).map_err(|error| refused(error.to_string()))
    }
}

/// What a function asks for.
pub(crate) fn asked(tags: &Tags) -> Option<Mode> {
    tags.get(TAG).and_then(|word| word.parse().ok())
}
