//! What a mapping polls: whether it is here, and what it demands of the mapping.

use bus::QueueShape;
use kit::Arn;
use model::lambda as api;

use crate::{Error, Lambda, sources::mapping::Mapping};

/// Messages that a batch may hold without a window.
const BATCH_WITHOUT_WINDOW: u32 = 10;

/// A source that is polled.
pub(super) enum Source {
    Queue(Arn),
    Stream(Arn),
}

impl Source {
    /// The source that a request names.
    pub(super) fn named(
        lambda: &Lambda,
        input: &api::CreateEventSourceMappingInput,
    ) -> Result<Source, Error> {
        if input.self_managed_event_source.is_some() {
            return Err(Error::NotBuilt("event sources of self-managed Apache Kafka"));
        }
        let arn = input.event_source_arn.as_deref().and_then(|arn| arn.parse::<Arn>().ok());
        let arn = arn.ok_or_else(unrecognized)?;
        if lambda.bus.directory().stream(&arn).is_some() {
            return Ok(Source::Stream(arn));
        }
        match arn.service() {
            "sqs" => Ok(Source::Queue(arn)),
            "kinesis" => Err(Error::NotBuilt("event sources of Kinesis")),
            "dynamodb" => Err(Error::NotBuilt("event sources of DynamoDB")),
            "kafka" => Err(Error::NotBuilt("event sources of Amazon MSK")),
            "mq" => Err(Error::NotBuilt("event sources of Amazon MQ")),
            "rds" => Err(Error::NotBuilt("event sources of Amazon DocumentDB")),
            _ => Err(unrecognized()),
        }
    }

    pub(super) fn arn(&self) -> &Arn {
        match self {
            Source::Queue(arn) | Source::Stream(arn) => arn,
        }
    }
}

fn unrecognized() -> Error {
    Error::InvalidParameter("Unrecognized event source.".to_owned())
}

fn refuse(text: impl Into<String>) -> Result<(), Error> {
    Err(Error::InvalidParameter(text.into()))
}

/// The rules between a mapping and its source.
pub(super) async fn check(lambda: &Lambda, mapping: &Mapping) -> Result<(), Error> {
    if mapping.stream.is_some() {
        return check_stream(lambda, mapping).await;
    }
    let shape = shape(lambda, mapping).await?;
    if shape.fifo && mapping.batch_size > BATCH_WITHOUT_WINDOW {
        return refuse("Batch size for a FIFO queue must be between 1 and 10.");
    }
    if shape.fifo && mapping.window_seconds > 0 {
        return refuse("Batching window is not supported for FIFO queues.");
    }
    if mapping.batch_size > BATCH_WITHOUT_WINDOW && mapping.window_seconds == 0 {
        return refuse(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
        );
    }
    Ok(())
}

/// Whether leases of a queue last as long as its function may run; asked when the two are brought
/// together.
pub(super) async fn check_visibility(
    lambda: &Lambda,
    mapping: &Mapping,
    timeout_seconds: u64,
) -> Result<(), Error> {
    if mapping.stream.is_some() {
        return Ok(());
    }
    let visible = u64::from(shape(lambda, mapping).await?.visibility_timeout_seconds);
    if visible < timeout_seconds {
        return refuse(format!(
            "Queue visibility timeout: {visible} seconds is less than Function timeout: {timeout_seconds} seconds"
        ));
    }
    Ok(())
}

async fn shape(lambda: &Lambda, mapping: &Mapping) -> Result<QueueShape, Error> {
    let queues = lambda.bus.directory().queues().cloned();
    let shape = match queues {
        Some(queues) => queues.shape(&mapping.source).await,
        None => None,
    };
    shape.ok_or_else(|| Error::InvalidParameter(
        "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.".to_owned(),
    ))
}

async fn check_stream(lambda: &Lambda, mapping: &Mapping) -> Result<(), Error> {
    let source = &mapping.source;
    let Some(stream) = lambda.bus.directory().stream(source) else { return Err(unrecognized()) };
    match stream.shards(source).await {
        Ok(_) => Ok(()),
        Err(bus::StreamError::Missing) => refuse(format!("Stream not found: {source}")),
        Err(error) => Err(Error::at("reading the stream's shards")(error)),
    }
}
