//! The end of an asynchronous event: its destination and its dead-letter queue are told, durably, and
//! what could not be told is counted.

use bus::{Delivery, DeliveryError, Origin};
use kit::{Arn, Caller};
use store::Batch;

use crate::{
    Lambda,
    functions::Runnable,
    invoke::{
        concurrency::FunctionKey,
        event::Condition,
        lineage,
        record::{self, End},
        trace,
    },
    usage::Subject,
};

/// The principal of Lambda's own deliveries.
const PRINCIPAL: &str = "lambda.amazonaws.com";
/// The attribute by which a bucket takes the key of an object.
const OBJECT_KEY: &str = "key";

impl Lambda {
    /// Tells the destination and the dead-letter queue how an event ended.
    pub(crate) async fn conclude(
        &self,
        delivery: &Delivery,
        runnable: &Runnable,
        end: End,
    ) -> Result<(), DeliveryError> {
        let deliveries = self.news(delivery, runnable, &end);
        if !deliveries.is_empty() {
            let mut batch = Batch::new();
            let ticket = self.bus.enqueue(&mut batch, deliveries);
            let committed = self.store.commit(batch).await;
            committed.map_err(|error| DeliveryError::Retry(error.to_string()))?;
            ticket.release();
        }
        if !end.succeeded() {
            self.usage.note(&Subject::of(runnable), end.at, |tally| tally.events_dropped += 1);
        }
        Ok(())
    }

    /// Whether the function's role lets it tell this; what it may not tell is counted.
    fn may_tell(&self, function: &runtime::Function, news: &Delivery) -> bool {
        let (target, action) = match news.target.service() {
            "sqs" => (news.target.clone(), "sqs:SendMessage"),
            "lambda" => (news.target.clone(), "lambda:InvokeFunction"),
            "s3" => {
                let key = news.attributes.get(OBJECT_KEY).map_or("", String::as_str);
                let object = format!("{}/{key}", news.target).parse();
                (object.unwrap_or_else(|_| news.target.clone()), "s3:PutObject")
            }
            _ => return true,
        };
        let allowed = self.role_may(function, action, &target);
        if !allowed {
            self.refused(news, "the function's role does not allow it");
        }
        allowed
    }

    /// What is to be told, and to whom.
    fn news(&self, delivery: &Delivery, runnable: &Runnable, end: &End) -> Vec<Delivery> {
        let policy = self.functions.event_policy(runnable);
        let destination = if end.succeeded() { policy.on_success } else { policy.on_failure };
        let dead_letter = runnable.dead_letter.clone().filter(|_| !end.succeeded());
        let Some(trace) = onwards(delivery, &runnable.function, end.condition) else {
            return Vec::new();
        };
        let (account, region) = (delivery.account, delivery.region.clone());
        let caller = Caller { trace, ..Caller::internal(account, region, end.at) };
        let tell = |target: Arn, payload: String| {
            let source = runnable.function_arn.clone();
            Delivery::new(target, PRINCIPAL, source, &caller, payload)
        };
        let record = destination.map(|destination| {
            let mut news = tell(destination, record::record(delivery, runnable, end));
            if news.target.service() == "s3" {
                let key = record::object_key(&runnable.function.name, end.at, &news.id);
                news.attributes.insert(OBJECT_KEY.to_owned(), key);
            }
            news
        });
        let letter = dead_letter.map(|queue| {
            let mut letter = tell(queue, delivery.payload.clone());
            letter.attributes = record::dead_letter_attributes(delivery, end);
            letter
        });
        let told = record.into_iter().chain(letter);
        told.filter(|news| self.may_tell(&runnable.function, news)).collect()
    }
}

/// The trace with which destinations are told, counting the invocation: they may lead back to the
/// function. `None`: they are part of a loop that was stopped, and are told nothing.
fn onwards(
    delivery: &Delivery,
    function: &runtime::Function,
    condition: Condition,
) -> Option<String> {
    let mut trace = trace::of_delivery(delivery);
    match condition {
        Condition::RecursiveLoop => lineage::stopped(&trace),
        Condition::EventAgeExceeded | Condition::ZeroReservedConcurrency => Some(trace),
        Condition::Success | Condition::RetriesExhausted => {
            let (account, region) = (function.account, function.region.clone());
            let key = FunctionKey { account, region, name: function.name.clone() };
            // It has run: there is no loop, or loops are allowed.
            let _ = lineage::follow(&mut trace, lineage::hash(&key));
            Some(trace)
        }
    }
}

impl Origin for Lambda {
    /// A queue, bucket or function did not take what it was told.
    fn refused(&self, delivery: &Delivery, _reason: &str) {
        let Some(subject) = Subject::of_arn(&delivery.source) else { return };
        self.usage.note(&subject, self.clock.now(), |tally| {
            if record::is_dead_letter(delivery) {
                tally.dead_letter_errors += 1;
            } else {
                tally.destination_failures += 1;
            }
        });
    }
}
