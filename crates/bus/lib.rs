//! Deliveries between services, and the ports through which services meet. No service depends on
//! another: each sees the others as a [`Target`], a [`Queue`], an [`Objects`] … found by ARN.
//!
//! Read in this order: `ports` (what services offer each other), `delivery` (one event on its way),
//! `outbox` (its row), `deliver` (the worker).
//!
//! Invariant: a delivery is a row in the transaction of its cause; it is gone only when its target
//! has made it durable, or a dead-letter record has.

mod delivery;
mod ports;

pub use delivery::{Delivery, DeliveryError};
pub use ports::{
    Directory, Leased, LogEvent, Logs, NoSuchObject, ObjectBytes, Objects, Queue, QueueError, QueueShape, RoleCredentials, Roles, Sending, Target,
};
