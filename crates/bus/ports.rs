//! What services offer each other. Each port has one implementation per service that offers it
//! and is found through the [`Directory`] by the service's name in ARNs.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use kit::{AccountId, Arn, Authority, Caller, ConditionKeys, Millis, Region, Tags};

use crate::{Delivery, DeliveryError, guarded::Guarded};

/// A service that events can be delivered into: a function, a queue, a topic.
#[async_trait]
pub trait Target: Send + Sync {
    /// Takes one event; `Ok` when it is durable there.
    async fn deliver(&self, delivery: &Delivery) -> Result<(), DeliveryError>;

    /// Whether the target exists and lets this sender in; asked when a configuration names it.
    /// The delivery is a sample without effect.
    async fn validate(&self, delivery: &Delivery) -> Result<(), DeliveryError>;
}

/// A service that keeps account of its deliveries.
pub trait Origin: Send + Sync {
    /// A target has refused one of them for good; it is a dead letter now.
    fn refused(&self, delivery: &Delivery, reason: &str);
}

/// A queue as pollers see it.
#[async_trait]
pub trait Queue: Send + Sync {
    /// What the queue is; `None` if there is none of this ARN.
    async fn shape(&self, queue: &Arn) -> Option<QueueShape>;

    /// Leases up to `max` messages, waiting up to `wait` for the first. With `limit_groups` a FIFO
    /// queue never leases a message whose group has one in flight (as always).
    async fn receive(
        &self,
        queue: &Arn,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Leased>, QueueError>;

    /// Deletes leased messages.
    async fn delete(&self, queue: &Arn, receipts: &[String]) -> Result<(), QueueError>;

    /// Makes leased messages visible after `delay`.
    async fn release(
        &self,
        queue: &Arn,
        receipts: &[String],
        delay: Duration,
    ) -> Result<(), QueueError>;

    /// Sends a message and answers with its id.
    async fn send(&self, queue: &Arn, message: Sending) -> Result<String, QueueError>;
}

/// What a poller must know of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueShape {
    /// FIFO.
    pub fifo: bool,
    /// Default visibility timeout in seconds.
    pub visibility_timeout_seconds: u32,
    /// Whether messages that are received too often go to a dead-letter queue.
    pub redrives: bool,
}

/// A leased message with what an SQS event record holds.
#[derive(Clone, Debug)]
pub struct Leased {
    /// `messageId`.
    pub id: String,
    /// `receiptHandle`.
    pub receipt: String,
    /// `body`.
    pub body: String,
    /// `attributes`: `ApproximateReceiveCount`, `SentTimestamp`, `SenderId`, …
    pub attributes: BTreeMap<String, String>,
    /// `messageAttributes`, already as the event's JSON document.
    pub message_attributes: serde_json::Value,
    /// `md5OfBody`.
    pub md5_of_body: String,
    /// `md5OfMessageAttributes`, where there are attributes.
    pub md5_of_message_attributes: Option<String>,
}

/// A message to send.
#[derive(Clone, Debug, Default)]
pub struct Sending {
    /// The body.
    pub body: String,
    /// Text attributes: name → (type, value).
    pub attributes: BTreeMap<String, (String, String)>,
    /// FIFO: the group.
    pub group: Option<String>,
    /// FIFO: the deduplication id.
    pub deduplication: Option<String>,
}

/// Why a queue did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// There is no such queue.
    #[error("the queue does not exist")]
    Missing,
    /// It may work later.
    #[error("{0}")]
    Later(String),
    /// It never will.
    #[error("{0}")]
    Refused(String),
}

/// A stream as pollers see it: shards, each a sequence of records that are kept for some time.
///
/// Sequence numbers are decimal and rise within a shard. A reader's place in a shard is the sequence
/// number of the last record it has behind it, or what [`begin`](Stream::begin) answered.
#[async_trait]
pub trait Stream: Send + Sync {
    /// The shards whose records are still kept, closed ones included.
    async fn shards(&self, stream: &Arn) -> Result<Vec<Shard>, StreamError>;

    /// The place in a shard from which a reader begins.
    async fn begin(
        &self,
        stream: &Arn,
        shard: &str,
        position: Position,
    ) -> Result<String, StreamError>;

    /// Up to `max` records behind a place, and no more than a few mebibytes of them; waits up to
    /// `wait` for the first. Whoever stops waiting loses nothing.
    async fn read(
        &self,
        stream: &Arn,
        shard: &str,
        after: &str,
        max: usize,
        wait: Duration,
    ) -> Result<Records, StreamError>;
}

/// One sequence of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// `shardId-000000000000`.
    pub id: String,
    /// The shards that were split or merged into this one.
    pub parents: Vec<String>,
}

/// Where a new reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// At the oldest record that is kept.
    TrimHorizon,
    /// Behind the newest.
    Latest,
    /// At the first that arrived at this moment or later.
    At(Millis),
}

/// What a read has found.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// In order.
    pub records: Vec<Record>,
    /// The shard is closed and these are its last records.
    pub end: bool,
}

/// A record as functions see it.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its place.
    pub sequence: String,
    /// When the stream took it.
    pub arrived: Millis,
    /// Records of one key are processed in order.
    pub partition_key: String,
    /// The event's record, a JSON object; `invokeIdentityArn` is not in it yet.
    pub event: serde_json::Value,
}

/// Why a stream did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// There is no such stream.
    #[error("the stream does not exist")]
    Missing,
    /// It may work later.
    #[error("{0}")]
    Later(String),
}

/// Objects as other services read and write them.
#[async_trait]
pub trait Objects: Send + Sync {
    /// A whole object (code packages), refused beyond `limit` bytes.
    async fn get(
        &self,
        caller: &Caller,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        limit: u64,
    ) -> Result<ObjectBytes, NoSuchObject>;

    /// Writes a whole object (on-failure destinations).
    async fn put(
        &self,
        caller: &Caller,
        bucket: &str,
        key: &str,
        body: Bytes,
    ) -> Result<(), NoSuchObject>;
}

/// A whole object.
#[derive(Clone, Debug)]
pub struct ObjectBytes {
    /// Its bytes.
    pub bytes: Bytes,
    /// Its version, where the bucket has versions.
    pub version: Option<String>,
}

/// S3's own error: other services repeat its code and message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("S3 Error Code: {code}. S3 Error Message: {message}")]
pub struct NoSuchObject {
    /// `NoSuchKey`, `NoSuchBucket`, `AccessDenied`.
    pub code: String,
    /// S3's sentence.
    pub message: String,
}

/// Where functions' log lines go.
#[async_trait]
pub trait Logs: Send + Sync {
    /// Appends to a stream, creating group and stream where needed. Lazily durable.
    async fn append(
        &self,
        account: AccountId,
        region: &Region,
        group: &str,
        stream: &str,
        events: Vec<LogEvent>,
    );

    /// What an append to a stream has to make first.
    fn lacks(&self, account: AccountId, region: &Region, group: &str, stream: &str) -> Lacking;
}

/// What is missing where log lines are to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacking {
    /// Nothing: the stream is there.
    Nothing,
    /// The stream; its group is there.
    Stream,
    /// The group, and so the stream.
    Group,
}

/// One line.
#[derive(Clone, Debug)]
pub struct LogEvent {
    /// When.
    pub at: Millis,
    /// What.
    pub message: String,
}

/// Where functions' X-Ray segments go.
pub trait Traces: Send + Sync {
    /// Keeps segment documents, lazily durable, and counts what was none. Does not wait: what comes
    /// faster than it can be kept is dropped and counted.
    fn keep(&self, account: AccountId, region: &Region, documents: Vec<String>, dropped: u64);
}

/// Roles as services assume them.
#[async_trait]
pub trait Roles: Send + Sync {
    /// Whether a role of this ARN exists.
    async fn exists(&self, role: &Arn) -> bool;

    /// Credentials for a session of a role that Lambda assumes for a function; the session is called
    /// as the function.
    async fn assume(
        &self,
        role: &Arn,
        session: &str,
        function: &Arn,
        lifetime: Duration,
    ) -> RoleCredentials;
}

/// Temporary credentials.
#[derive(Clone, Debug)]
pub struct RoleCredentials {
    /// `ASIA…`.
    pub access_key_id: String,
    /// Secret.
    pub secret_access_key: String,
    /// Session token.
    pub session_token: String,
    /// When they end.
    pub expires: Millis,
}

/// Identities as the service sees them that issues sessions for them. All in memory.
pub trait Identities: Send + Sync {
    /// The role of this ARN.
    fn role(&self, role: &Arn) -> Option<Role>;

    /// Notes that a session of a role began.
    fn role_used(&self, role: &Arn, region: &Region, now: Millis);

    /// Whether a text is a policy that may narrow a session; the error is IAM's sentence.
    ///
    /// # Errors
    /// It is not.
    fn check_policy(&self, document: &str) -> Result<(), String>;

    /// The OpenID Connect provider of an account whose tokens name this issuer.
    fn provider(&self, account: AccountId, issuer: &str) -> Option<Provider>;

    /// Whether a role's trust policy lets somebody in whom a provider vouches for.
    fn trusts(&self, vouched: &Vouched<'_>) -> bool;

    /// Whether a code is what a user's second factor shows at the time of the call. A code is good
    /// for one call.
    ///
    /// # Errors
    /// It is not.
    fn second_factor(&self, caller: &Caller, serial: &str, code: &str) -> Result<(), NoFactor>;
}

/// Why a second factor proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoFactor {
    /// The caller has no device of this serial number.
    Device,
    /// The code is not the device's, or has been used.
    Code,
}

/// An OpenID Connect provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its ARN.
    pub arn: Arn,
    /// The issuer without its scheme: condition keys start with it.
    pub name: String,
    /// Audiences whose tokens are taken.
    pub client_ids: Vec<String>,
}

/// Somebody without AWS credentials, whom a provider vouches for and who asks for a role.
pub struct Vouched<'a> {
    /// The request.
    pub caller: &'a Caller,
    /// The provider's ARN.
    pub provider: &'a Arn,
    /// `sts:AssumeRoleWithWebIdentity`, `sts:TagSession`.
    pub action: &'a str,
    /// The role.
    pub role: &'a Arn,
    /// What the token and the request say.
    pub keys: &'a ConditionKeys,
}

/// What a session must know of its role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// `AROA…`.
    pub id: String,
    /// Its name, without the path.
    pub name: String,
    /// The longest session it allows.
    pub max_session_seconds: u32,
}

/// What the resources of a service carry that policies are about: policies of their own, owners,
/// tags. All from memory.
pub trait ResourcePolicies: Send + Sync {
    /// The document of the resource of this ARN, if there is such a resource and it has one. Asked
    /// for every call.
    fn policy(&self, resource: &Arn) -> Option<Arc<str>>;

    /// Whose the resource is.
    fn owner(&self, resource: &Arn) -> Option<AccountId> {
        resource.account().parse().ok()
    }

    /// The resource's tags, as conditions compare them (`aws:ResourceTag/…`). Asked only where a
    /// policy names one.
    fn tags(&self, resource: &Arn) -> Tags;

    /// What is known of a resource for a condition key that its requests do not tell, in lower case:
    /// the function of a mapping (`lambda:functionarn`). Asked only where a policy names the key.
    fn fact(&self, _resource: &Arn, _key: &str) -> Option<String> {
        None
    }

    /// Whether a policy of the resource can let another account do this. What it cannot, only the
    /// resource's own account may.
    fn shares(&self, _action: &str) -> bool {
        true
    }
}

/// Who offers what. Filled once at start, before the first request.
#[derive(Default)]
pub struct Directory {
    targets: RwLock<BTreeMap<&'static str, Arc<dyn Target>>>,
    streams: RwLock<BTreeMap<&'static str, Arc<dyn Stream>>>,
    origins: RwLock<BTreeMap<&'static str, Arc<dyn Origin>>>,
    policies: RwLock<BTreeMap<&'static str, Arc<dyn ResourcePolicies>>>,
    authority: OnceLock<Arc<dyn Authority>>,
    queues: OnceLock<Arc<dyn Queue>>,
    objects: OnceLock<Arc<dyn Objects>>,
    logs: OnceLock<Arc<dyn Logs>>,
    traces: OnceLock<Arc<dyn Traces>>,
    roles: OnceLock<Arc<dyn Roles>>,
    identities: OnceLock<Arc<dyn Identities>>,
}

impl Directory {
    /// Names the target for ARNs of a service (`lambda`, `sqs`).
    pub fn offer_target(&self, service: &'static str, target: Arc<dyn Target>) {
        self.targets
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert(service, target);
    }

    /// Names who decides what callers, services and roles may do. Without, everybody may everything.
    pub fn guard(&self, authority: Arc<dyn Authority>) {
        let _ = self.authority.set(authority);
    }

    /// Who decides.
    pub fn authority(&self) -> Option<&Arc<dyn Authority>> {
        self.authority.get()
    }

    /// The target for an ARN, behind its policy where policies are asked.
    pub fn target(&self, arn: &Arn) -> Option<Arc<dyn Target>> {
        let targets = self.targets.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let target = targets.get(arn.service()).cloned()?;
        Some(match self.authority() {
            Some(authority) => Arc::new(Guarded { target, authority: authority.clone() }),
            None => target,
        })
    }

    /// Names who offers the streams of a service (`kinesis`, `dynamodb`).
    pub fn offer_stream(&self, service: &'static str, stream: Arc<dyn Stream>) {
        self.streams
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert(service, stream);
    }

    /// Who offers the stream of an ARN.
    pub fn stream(&self, arn: &Arn) -> Option<Arc<dyn Stream>> {
        let streams = self.streams.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        streams.get(arn.service()).cloned()
    }

    /// Names who keeps account of deliveries whose source is an ARN of this service.
    pub fn offer_origin(&self, service: &'static str, origin: Arc<dyn Origin>) {
        let mut origins = self.origins.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        origins.insert(service, origin);
    }

    /// Who keeps account of deliveries from this source.
    pub fn origin(&self, source: &Arn) -> Option<Arc<dyn Origin>> {
        let origins = self.origins.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        origins.get(source.service()).cloned()
    }

    /// Names who knows the policies of a service's resources (`sqs`).
    pub fn offer_policies(&self, service: &'static str, policies: Arc<dyn ResourcePolicies>) {
        self.policies
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert(service, policies);
    }

    /// Who knows the policy of the resource of an ARN.
    pub fn policies(&self, arn: &Arn) -> Option<Arc<dyn ResourcePolicies>> {
        let policies = self.policies.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        policies.get(arn.service()).cloned()
    }
}

macro_rules! port {
    ($offer:ident, $get:ident, $trait:ident, $what:literal) => {
        impl Directory {
            #[doc = concat!("Names who offers ", $what, "; the first one stays.")]
            pub fn $offer(&self, port: Arc<dyn $trait>) {
                let _ = self.$get.set(port);
            }

            #[doc = concat!("Who offers ", $what, ".")]
            pub fn $get(&self) -> Option<&Arc<dyn $trait>> {
                self.$get.get()
            }
        }
    };
}

port!(offer_queues, queues, Queue, "queues");
port!(offer_objects, objects, Objects, "objects");
port!(offer_logs, logs, Logs, "logs");
port!(offer_traces, traces, Traces, "traces");
port!(offer_roles, roles, Roles, "roles");
port!(offer_identities, identities, Identities, "identities");
