//! Events that the bus brings: each is an asynchronous invocation.

use async_trait::async_trait;
use bus::{Delivery, DeliveryError, Target};
use bytes::Bytes;
use kit::{Arn, Caller, Millis};
use runtime::Outcome;
use serde_json::value::RawValue;
use store::Batch;

use crate::{
    Error, Lambda,
    functions::Runnable,
    invoke::{
        concurrency::FunctionKey,
        event::{self, Condition, Next, Record, RequestContext},
        lineage,
        run::Request,
        trace,
    },
    name::FunctionName,
};

/// The attribute of a delivery that carries the client context.
pub(crate) const CLIENT_CONTEXT: &str = "client-context";
/// The attribute of a delivery that names the tenant.
pub(crate) const TENANT: &str = "tenant-id";

#[async_trait]
impl Target for Lambda {
    async fn deliver(&self, delivery: &Delivery) -> Result<(), DeliveryError> {
        let runnable = self.addressed(&delivery.target)?;
        let now = self.clock.now();
        let policy = self.functions.event_policy(&runnable);
        if policy.expired(delivery.created, now) {
            let end = (Condition::EventAgeExceeded, None);
            return self.conclude(delivery, &runnable, end, now).await;
        }
        let request = Request {
            id: delivery.id.clone(),
            payload: Bytes::from(delivery.payload.clone()),
            client_context: delivery.attributes.get(CLIENT_CONTEXT).cloned(),
            trace: delivery.trace.clone(),
            tenant: delivery.attributes.get(TENANT).cloned(),
        };
        let outcome = match self.run(&runnable, request, now).await {
            Ok(outcome) => outcome,
            Err(error @ (Error::TenantMissing | Error::TenantUnexpected)) => {
                return Err(DeliveryError::Refused(error.to_string()));
            }
            Err(Error::RecursiveInvocation) => {
                let end = (Condition::RecursiveLoop, None);
                return self.conclude(delivery, &runnable, end, now).await;
            }
            // Throttles and faults of ours do not count as attempts.
            Err(error) => return Err(DeliveryError::Retry(error.to_string())),
        };
        let now = self.clock.now();
        let failed = outcome.error.is_some();
        match policy.next(failed, delivery.attempts, delivery.created, now) {
            Next::Again(at) => {
                Err(DeliveryError::RetryAt { at, reason: "function error".to_owned() })
            }
            Next::Done => {
                let end = (Condition::Success, Some(outcome));
                self.conclude(delivery, &runnable, end, now).await
            }
            Next::GiveUp(condition) => {
                self.conclude(delivery, &runnable, (condition, Some(outcome)), now).await
            }
        }
    }

    async fn validate(&self, delivery: &Delivery) -> Result<(), DeliveryError> {
        self.addressed(&delivery.target).map(drop)
    }
}

impl Lambda {
    fn addressed(&self, target: &Arn) -> Result<Runnable, DeliveryError> {
        let refused = |error: Error| DeliveryError::Refused(error.to_string());
        let name = FunctionName::parse(target.as_str()).map_err(refused)?;
        let account = target.account().parse();
        let region = target.region().parse();
        let (Ok(account), Ok(region)) = (account, region) else {
            return Err(DeliveryError::Refused(format!("{target} names no function")));
        };
        let found =
            self.functions.runnable(account, &region, &name.name, name.qualifier.as_deref());
        found.map_err(refused)
    }

    /// The trace with which destinations are told, counting the invocation: they may lead back to
    /// the function. `None`: they are part of a loop that was stopped, and are told nothing.
    fn onwards(
        &self,
        delivery: &Delivery,
        function: &runtime::Function,
        condition: Condition,
        now: Millis,
    ) -> Option<String> {
        match condition {
            Condition::RecursiveLoop => lineage::stopped(&delivery.trace),
            Condition::EventAgeExceeded => Some(delivery.trace.clone()),
            Condition::Success | Condition::RetriesExhausted => {
                let mut trace = trace::header(&delivery.trace, now);
                let (account, region) = (function.account, function.region.clone());
                let key = FunctionKey { account, region, name: function.name.clone() };
                // It has run: there is no loop, or loops are allowed.
                let _ = lineage::follow(&mut trace, lineage::hash(&key));
                Some(trace)
            }
        }
    }

    /// Tells the destination and the dead-letter queue how an event ended.
    async fn conclude(
        &self,
        delivery: &Delivery,
        runnable: &Runnable,
        (condition, outcome): (Condition, Option<Outcome>),
        now: Millis,
    ) -> Result<(), DeliveryError> {
        let policy = self.functions.event_policy(runnable);
        let destination = match condition {
            Condition::Success => policy.on_success,
            _ => policy.on_failure,
        };
        let dead_letter = runnable.dead_letter.clone().filter(|_| condition != Condition::Success);
        if destination.is_none() && dead_letter.is_none() {
            return Ok(());
        }
        let Some(trace) = self.onwards(delivery, &runnable.function, condition, now) else {
            return Ok(());
        };
        let caller =
            Caller { trace, ..Caller::internal(delivery.account, delivery.region.clone(), now) };
        let mut deliveries = Vec::new();
        if let Some(destination) = destination {
            let record = record(delivery, runnable, condition, outcome.as_ref(), now);
            let source = runnable.function_arn.clone();
            deliveries.push(Delivery::new(
                destination,
                "lambda.amazonaws.com",
                source,
                &caller,
                record,
            ));
        }
        if let Some(queue) = dead_letter {
            let source = runnable.function_arn.clone();
            let payload = delivery.payload.clone();
            let mut letter = Delivery::new(queue, "lambda.amazonaws.com", source, &caller, payload);
            letter.attributes = dead_letter_attributes(delivery, condition, outcome.as_ref());
            deliveries.push(letter);
        }
        let mut batch = Batch::new();
        let ticket = self.bus.enqueue(&mut batch, deliveries);
        let committed = self.store.commit(batch).await;
        committed.map_err(|error| DeliveryError::Retry(error.to_string()))?;
        ticket.release();
        Ok(())
    }
}

fn record(
    delivery: &Delivery,
    runnable: &Runnable,
    condition: Condition,
    outcome: Option<&Outcome>,
    now: Millis,
) -> String {
    let response = outcome.map(|outcome| event::response(outcome, &runnable.function.version));
    let (response_context, response_payload) = response.unzip();
    let function_arn = format!("{}:{}", runnable.function_arn, runnable.function.version);
    let payload = serde_json::from_str::<&RawValue>(&delivery.payload);
    let record = Record {
        version: "1.0",
        timestamp: now.iso8601(),
        request_context: RequestContext {
            request_id: &delivery.id,
            function_arn: &function_arn,
            condition: condition.as_str(),
            approximate_invoke_count: delivery.attempts + u32::from(outcome.is_some()),
        },
        request_payload: payload.unwrap_or(RawValue::NULL),
        response_context,
        response_payload,
    };
    serde_json::to_string(&record).unwrap_or_default()
}

/// `RequestID`, `ErrorCode` and `ErrorMessage`, as the SQS target takes message attributes:
/// `type:value` under the attribute's name.
fn dead_letter_attributes(
    delivery: &Delivery,
    condition: Condition,
    outcome: Option<&Outcome>,
) -> std::collections::BTreeMap<String, String> {
    const MESSAGE_BYTES: usize = 1024;
    let message = outcome.map_or_else(
        || match condition {
            Condition::RecursiveLoop => Error::RecursiveInvocation.to_string(),
            _ => "Event age exceeded".to_owned(),
        },
        |outcome| {
            let error: serde_json::Value =
                serde_json::from_slice(&outcome.payload).unwrap_or_default();
            let message = error["errorMessage"].as_str().unwrap_or_default();
            message.chars().take(MESSAGE_BYTES).collect()
        },
    );
    [
        ("RequestID", format!("String:{}", delivery.id)),
        ("ErrorCode", "Number:200".to_owned()),
        ("ErrorMessage", format!("String:{message}")),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}
