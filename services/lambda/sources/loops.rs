//! Messages that would continue a recursive loop: the function does not see them. They go to the
//! queue's dead-letter queue if it has one, else they are deleted.
//!
//! AWS drops the event and leaves the rest to the queue's redrive policy; without one a message that
//! can never be processed would come back until its retention ends.

use std::time::Duration;

use bus::Leased;

use crate::{
    functions::Runnable,
    invoke::{
        concurrency::FunctionKey,
        lineage::{self, Recursion},
    },
    sources::sqs::Poller,
};

/// The attribute in which a queue keeps the trace of a message's sender.
const TRACE: &str = "AWSTraceHeader";

/// The trace that a batch carries on: its first message's.
pub(crate) fn trace(messages: &[Leased]) -> String {
    messages.first().and_then(|first| first.attributes.get(TRACE)).cloned().unwrap_or_default()
}

impl Poller {
    /// Takes out the messages that would continue a loop; gives back the others.
    pub(crate) async fn drop_loops(&self, messages: Vec<Leased>) -> Vec<Leased> {
        let traced = messages.iter().any(|message| message.attributes.contains_key(TRACE));
        let mapped = self.lambda.mapped(&self.mapping);
        let Some(runnable) = mapped.ok().filter(|_| traced) else { return messages };
        if runnable.recursion == Recursion::Allow {
            return messages;
        }
        let (loops, pass): (Vec<_>, Vec<_>) =
            messages.into_iter().partition(|message| is_loop(message, &runnable));
        if !loops.is_empty() {
            self.end_loops(loops).await;
        }
        pass
    }

    async fn end_loops(&self, loops: Vec<Leased>) {
        let (count, mapping) = (loops.len(), &self.mapping.id);
        tracing::warn!(mapping, count, "messages of a recursive loop dropped");
        let shape = self.queue.shape(&self.mapping.source).await;
        match shape.is_some_and(|shape| shape.redrives) {
            // Its policy moves them when they have come often enough, which is soon.
            true => self.give_back(&loops, Duration::ZERO).await,
            false => {
                let receipts: Vec<String> = loops.into_iter().map(|it| it.receipt).collect();
                self.delete(&receipts).await;
            }
        }
    }
}

fn is_loop(message: &Leased, runnable: &Runnable) -> bool {
    let Some(trace) = message.attributes.get(TRACE) else { return false };
    let function = &runnable.function;
    let (account, region) = (function.account, function.region.clone());
    let key = FunctionKey { account, region, name: function.name.clone() };
    lineage::follow(&mut trace.clone(), lineage::hash(&key)).is_err()
}
