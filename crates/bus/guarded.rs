//! Targets that let in only whom policies let in: a service that brings an event needs the permission
//! of the target's own policy, for its source.

use std::sync::Arc;

use async_trait::async_trait;
use kit::{Attempt, Authority, Caller, Service};

use crate::{Delivery, DeliveryError, Target};

/// What a function sends to its destinations and to itself, its role must be allowed, not the service:
/// Lambda asks.
const LAMBDA: &str = "lambda.amazonaws.com";

/// A target behind its policy.
pub(crate) struct Guarded {
    pub(crate) target: Arc<dyn Target>,
    pub(crate) authority: Arc<dyn Authority>,
}

#[async_trait]
impl Target for Guarded {
    async fn deliver(&self, delivery: &Delivery) -> Result<(), DeliveryError> {
        self.permit(delivery)?;
        self.target.deliver(delivery).await
    }

    async fn validate(&self, delivery: &Delivery) -> Result<(), DeliveryError> {
        self.permit(delivery)?;
        self.target.validate(delivery).await
    }
}

impl Guarded {
    fn permit(&self, delivery: &Delivery) -> Result<(), DeliveryError> {
        let action = match delivery.target.service() {
            "lambda" => "lambda:InvokeFunction",
            "sqs" => "sqs:SendMessage",
            _ => return Ok(()),
        };
        if delivery.principal == LAMBDA {
            return Ok(());
        }
        let now = delivery.created;
        let caller = Caller::internal(delivery.account, delivery.region.clone(), now);
        let service = Service {
            name: &delivery.principal,
            source: Some(&delivery.source),
            account: Some(delivery.account),
        };
        let resources = std::slice::from_ref(&delivery.target);
        let attempt =
            Attempt { caller: &caller, service: Some(service), action, resources, keys: &[] };
        let permitted = self.authority.permit(&attempt);
        permitted.map_err(|denied| DeliveryError::Refused(denied.to_string()))
    }
}
