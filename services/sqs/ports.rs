//! What other services see of queues: a target for events, and queues to poll.
//!
//! Whether a queue's policy lets the sending service in for its source, the bus has asked before.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use bus::{Delivery, DeliveryError, Leased, QueueError, QueueShape, Sending};
use kit::{Arn, Caller, Tags};
use model::sqs as api;
use serde_json::{Map, Value, json};

use crate::{
    Sqs,
    error::Error,
    message::md5_of_body,
    open::OpenQueue,
    ops::{change_message_visibility, delete_message},
    policy,
    receive::{Asked, Received},
    send::{Outgoing, Request},
};

/// The wire name of "every attribute".
const ALL: &str = "All";

/// The service as other services see it.
pub(crate) struct Ports(pub(crate) Arc<Sqs>);

#[async_trait]
impl bus::Target for Ports {
    async fn deliver(&self, delivery: &Delivery) -> Result<(), DeliveryError> {
        let queue = self.target(delivery)?;
        let attributes = Some(message_attributes(&delivery.attributes));
        let body = delivery.payload.clone();
        let request = Request { body, attributes, ..Request::default() };
        let caller = Caller {
            trace: delivery.trace.clone(),
            ..Caller::internal(delivery.account, delivery.region.clone(), self.0.clock.now())
        };
        let outgoing = Outgoing::check(&caller, &queue.record().settings, request);
        let sent = match outgoing {
            Ok(outgoing) => self.0.send(&queue, vec![outgoing]).await,
            Err(error) => Err(error),
        };
        sent.map(drop).map_err(|error| match error.is_callers() {
            true => DeliveryError::Refused(error.to_string()),
            false => DeliveryError::Retry(error.to_string()),
        })
    }

    async fn validate(&self, delivery: &Delivery) -> Result<(), DeliveryError> {
        self.target(delivery).map(drop)
    }
}

impl bus::ResourcePolicies for Ports {
    fn policy(&self, queue: &Arn) -> Option<Arc<str>> {
        let queue = self.0.queue_of(queue)?;
        queue.record().settings.policy.as_deref().map(Arc::from)
    }

    fn tags(&self, queue: &Arn) -> Tags {
        self.0.queue_of(queue).map(|queue| queue.record().tags.clone()).unwrap_or_default()
    }

    fn shares(&self, action: &str) -> bool {
        !policy::is_owners(action)
    }
}

/// A delivery's attributes (`type:value` by name) as message attributes.
fn message_attributes(
    attributes: &BTreeMap<String, String>,
) -> wire::Map<api::MessageAttributeValue> {
    let typed = attributes.iter().filter_map(|(name, text)| {
        let (data_type, value) = text.split_once(':')?;
        let (data_type, string_value) = (data_type.to_owned(), Some(value.to_owned()));
        let value = api::MessageAttributeValue { data_type, string_value, ..Default::default() };
        Some((name.clone(), value))
    });
    typed.collect()
}

impl Ports {
    fn target(&self, delivery: &Delivery) -> Result<Arc<OpenQueue>, DeliveryError> {
        let queue = self.0.queue_of(&delivery.target);
        let queue = queue.ok_or_else(|| {
            DeliveryError::Refused("The specified queue does not exist.".to_owned())
        })?;
        // An event has no message group; AWS's services refuse FIFO queues for the same reason.
        match queue.place.is_fifo() {
            true => Err(DeliveryError::Refused("FIFO queues cannot take events.".to_owned())),
            false => Ok(queue),
        }
    }

    fn polled(&self, queue: &Arn) -> Result<Arc<OpenQueue>, QueueError> {
        self.0.queue_of(queue).ok_or(QueueError::Missing)
    }
}

#[async_trait]
impl bus::Queue for Ports {
    async fn shape(&self, queue: &Arn) -> Option<QueueShape> {
        let queue = self.0.queue_of(queue)?;
        let record = queue.record();
        let visibility_seconds = record.settings.visibility_seconds;
        Some(QueueShape {
            fifo: queue.place.is_fifo(),
            visibility_timeout_seconds: u32::try_from(visibility_seconds).unwrap_or(u32::MAX),
            redrives: record.settings.redrive.is_some(),
        })
    }

    async fn receive(
        &self,
        queue: &Arn,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Leased>, QueueError> {
        let queue = self.polled(queue)?;
        let asked =
            Asked { max, visibility_seconds: None, wait_seconds: wait.as_secs(), attempt: None };
        let received = self.0.receive(&queue, asked).await.map_err(queue_error)?;
        Ok(received.into_iter().map(leased).collect())
    }

    async fn delete(&self, queue: &Arn, receipts: &[String]) -> Result<(), QueueError> {
        let queue = self.polled(queue)?;
        let mut found = Vec::new();
        for receipt in receipts {
            found.extend(delete_message::find(&self.0, &queue, receipt).map_err(queue_error)?);
        }
        self.0.delete(&queue, found).await.map_err(queue_error)
    }

    async fn release(
        &self,
        queue: &Arn,
        receipts: &[String],
        delay: Duration,
    ) -> Result<(), QueueError> {
        let queue = self.polled(queue)?;
        let seconds = i32::try_from(delay.as_secs()).unwrap_or(i32::MAX);
        let change = |receipt| change_message_visibility::change(&self.0, &queue, receipt, seconds);
        // Each one is released, whatever becomes of the others.
        let outcomes: Vec<_> = receipts.iter().map(|receipt| change(receipt)).collect();
        outcomes.into_iter().collect::<Result<(), Error>>().map_err(queue_error)
    }

    async fn send(&self, queue: &Arn, message: Sending) -> Result<String, QueueError> {
        let queue = self.polled(queue)?;
        let place = &queue.place;
        let caller = Caller::internal(place.account, place.region.clone(), self.0.clock.now());
        let attributes = message.attributes.into_iter().map(|(name, (data_type, text))| {
            let string_value = Some(text);
            (name, api::MessageAttributeValue { data_type, string_value, ..Default::default() })
        });
        let request = Request {
            body: message.body,
            attributes: Some(attributes.collect()),
            group: message.group,
            deduplication: message.deduplication,
            ..Request::default()
        };
        let outgoing = Outgoing::check(&caller, &queue.record().settings, request);
        let sent = self.0.send(&queue, vec![outgoing.map_err(queue_error)?]).await;
        let sent = sent.map_err(queue_error)?.pop();
        sent.map(|sent| sent.id).ok_or_else(|| QueueError::Later("nothing was sent".to_owned()))
    }
}

fn queue_error(error: Error) -> QueueError {
    match error {
        Error::QueueDoesNotExist => QueueError::Missing,
        error if error.is_callers() => QueueError::Refused(error.to_string()),
        error => QueueError::Later(error.to_string()),
    }
}

/// A message as Lambda's event source mappings see it.
fn leased(received: Received) -> Leased {
    let attributes: BTreeMap<String, String> = received.system_attributes();
    let (values, digest) = received.message_attributes(&[ALL.to_owned()]);
    let values = values.into_iter().map(|(name, value)| (name, event_attribute(value)));
    let body = received.message.content.body.clone();
    Leased {
        id: received.message.head.id.clone(),
        receipt: received.handle,
        attributes,
        message_attributes: Value::Object(values.collect::<Map<_, _>>()),
        md5_of_body: md5_of_body(&body),
        md5_of_message_attributes: digest,
        body,
    }
}

fn event_attribute(value: api::MessageAttributeValue) -> Value {
    let mut attribute = json!({
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": value.data_type,
    });
    if let Some(text) = value.string_value {
        attribute["stringValue"] = text.into();
    }
    if let Some(bytes) = value.binary_value {
        attribute["binaryValue"] = BASE64_STANDARD.encode(bytes).into();
    }
    attribute
}
