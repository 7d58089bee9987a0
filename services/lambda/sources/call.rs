//! One call of a mapping's function with a batch, and how long to wait before another.

use std::time::Duration;

use bytes::Bytes;
use kit::ids;

use crate::{Error, Lambda, functions::Runnable, invoke::run::Request, sources::mapping::Mapping};

/// An event's payload is at most this many bytes; a larger batch is split.
pub(crate) const MAX_EVENT_BYTES: usize = 6 << 20;

/// What became of a call that ran.
pub(crate) struct Called {
    pub(crate) request_id: String,
    /// The version that ran.
    pub(crate) version: String,
    pub(crate) failed: bool,
    pub(crate) answer: Bytes,
}

impl Lambda {
    /// The version of a mapping's function that runs next.
    pub(crate) fn mapped(&self, mapping: &Mapping) -> Result<Runnable, Error> {
        self.functions.runnable(
            mapping.account,
            &mapping.region,
            &mapping.function,
            mapping.qualifier.as_deref(),
        )
    }

    /// Runs a mapping's function once, in the chain of `trace`. An error means that it never ran.
    pub(crate) async fn call(
        &self,
        mapping: &Mapping,
        event: Bytes,
        trace: String,
    ) -> Result<Called, Error> {
        let runnable = self.mapped(mapping)?;
        let id = ids::uuid();
        let request = Request { id: id.clone(), payload: event, trace, ..Request::default() };
        let outcome = self.run(&runnable, request, self.clock.now()).await?;
        Ok(Called {
            request_id: id,
            version: runnable.function.version.clone(),
            failed: outcome.error.is_some(),
            answer: outcome.payload,
        })
    }
}

/// Waits that double from the first to the last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) last: Duration,
}

impl Backoff {
    /// The wait after so many failures before this one.
    pub(crate) fn after(self, failures: u32) -> Duration {
        self.first.saturating_mul(1 << failures.min(20)).min(self.last)
    }
}

/// Splits a batch so that no event is too large; the order stays. Sizes are those of the records in
/// the event, in bytes.
pub(crate) fn split<T>(batch: Vec<T>, size: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut batches: Vec<Vec<T>> = Vec::new();
    let mut room = 0_usize;
    for item in batch {
        // A comma follows each.
        let needed = size(&item) + 1;
        match batches.last_mut() {
            Some(last) if needed <= room => {
                room -= needed;
                last.push(item);
            }
            _ => {
                room = MAX_EVENT_BYTES.saturating_sub(EVENT_FRAME_BYTES + needed);
                batches.push(vec![item]);
            }
        }
    }
    batches
}

/// What an event holds beside its records.
pub(crate) const EVENT_FRAME_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn split_batches_keep_everything_in_order_and_fit(
            sizes in prop::collection::vec(1..3_000_000_usize, 0..20)
        ) {
            let batches = split(sizes.clone(), |size| *size);
            prop_assert_eq!(batches.concat(), sizes);
            for batch in &batches {
                let bytes: usize = batch.iter().sum::<usize>() + batch.len() + EVENT_FRAME_BYTES;
                prop_assert!(bytes <= MAX_EVENT_BYTES && !batch.is_empty());
            }
            // No two neighbours would have fitted into one.
            for pair in batches.windows(2) {
                let first = pair[0].iter().sum::<usize>() + pair[0].len();
                prop_assert!(first + pair[1][0] + 1 + EVENT_FRAME_BYTES > MAX_EVENT_BYTES);
            }
        }
    }
}
