//! Events that the bus brings: each is an asynchronous invocation.

use async_trait::async_trait;
use bus::{Delivery, DeliveryError, Target};
use bytes::Bytes;
use kit::{Arn, Millis};

use crate::{
    Error, Lambda,
    functions::Runnable,
    invoke::{
        event::{Condition, Next},
        record::End,
        run::Request,
        trace,
    },
    name::FunctionName,
    usage::Subject,
};

/// The attribute of a delivery that carries the client context.
pub(crate) const CLIENT_CONTEXT: &str = "client-context";
/// The attribute of a delivery that names the tenant.
pub(crate) const TENANT: &str = "tenant-id";

#[async_trait]
impl Target for Lambda {
    async fn deliver(&self, delivery: &Delivery) -> Result<(), DeliveryError> {
        let runnable = match self.addressed(&delivery.target) {
            Ok(runnable) => runnable,
            // A function's events go with it; a destination that is gone is its sender's matter.
            Err(_) if !is_record(delivery) => return Ok(()),
            Err(error) => return Err(DeliveryError::Refused(error.to_string())),
        };
        let now = self.clock.now();
        self.note_event(delivery, &runnable, now);
        let policy = self.functions.event_policy(&runnable);
        if policy.expired(delivery.created, now) {
            let end = End::unrun(Condition::EventAgeExceeded, now);
            return self.conclude(delivery, &runnable, end).await;
        }
        if runnable.reserved == Some(0) {
            let end = End::unrun(Condition::ZeroReservedConcurrency, now);
            return self.conclude(delivery, &runnable, end).await;
        }
        let request = Request {
            id: delivery.id.clone(),
            payload: Bytes::from(delivery.payload.clone()),
            client_context: delivery.attributes.get(CLIENT_CONTEXT).cloned(),
            trace: trace::of_delivery(delivery),
            tenant: delivery.attributes.get(TENANT).cloned(),
        };
        let outcome = match self.run(&runnable, request, now).await {
            Ok(outcome) => outcome,
            Err(error @ (Error::TenantMissing | Error::TenantUnexpected)) => {
                return Err(DeliveryError::Refused(error.to_string()));
            }
            Err(Error::RecursiveInvocation) => {
                let end = End::unrun(Condition::RecursiveLoop, now);
                return self.conclude(delivery, &runnable, end).await;
            }
            // Throttles and faults of ours do not count as attempts.
            Err(error) => {
                let (end, reason) = (policy.end(delivery.created), error.to_string());
                return Err(DeliveryError::RetryBefore { end: end.plus(1), reason });
            }
        };
        let subject = Subject::of(&runnable);
        self.usage.note(&subject, now, |tally| tally.event_ran(now.since(delivery.created)));
        let now = self.clock.now();
        let failed = outcome.error.is_some();
        let condition = match policy.next(failed, delivery.attempts, delivery.created, now) {
            Next::Again(at) => {
                return Err(DeliveryError::RetryAt { at, reason: "function error".to_owned() });
            }
            Next::Done => Condition::Success,
            Next::GiveUp(condition) => condition,
        };
        let end = End { condition, outcome: Some(outcome), at: now };
        self.conclude(delivery, &runnable, end).await
    }

    async fn validate(&self, delivery: &Delivery) -> Result<(), DeliveryError> {
        let found = self.addressed(&delivery.target);
        found.map(drop).map_err(|error| DeliveryError::Refused(error.to_string()))
    }
}

/// Whether a delivery tells a function how an event of another one ended.
fn is_record(delivery: &Delivery) -> bool {
    delivery.source.service() == "lambda"
        && FunctionName::parse(delivery.target.as_str())
            .is_ok_and(|target| !delivery.source.resource().ends_with(&format!(":{}", target.name)))
}

impl Lambda {
    fn addressed(&self, target: &Arn) -> Result<Runnable, Error> {
        let name = FunctionName::parse(target.as_str())?;
        let account = target.account().parse();
        let region = target.region().parse();
        let (Ok(account), Ok(region)) = (account, region) else {
            return Err(Error::InvalidFunctionName(target.to_string()));
        };
        self.functions.runnable(account, &region, &name.name, name.qualifier.as_deref())
    }

    /// Counts an event when it comes for the first time.
    fn note_event(&self, delivery: &Delivery, runnable: &Runnable, now: Millis) {
        if delivery.attempts == 0 && delivery.failures == 0 {
            self.usage.note(&Subject::of(runnable), now, |tally| tally.events_received += 1);
        }
    }
}
