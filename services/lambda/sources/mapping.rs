//! An event source mapping: its record and its states. Pure.

use kit::{AccountId, Arn, Millis, Region};
use serde::{Deserialize, Serialize};

use crate::sources::filter::Payload;

/// A mapping as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mapping {
    pub(crate) id: String,
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    /// The function's name, and its version or alias if it was named with one.
    pub(crate) function: String,
    pub(crate) qualifier: Option<String>,
    /// The function's ARN as answers show it, qualifier included.
    pub(crate) function_arn: Arn,
    pub(crate) source: Arn,
    pub(crate) batch_size: u32,
    pub(crate) window_seconds: u32,
    pub(crate) enabled: bool,
    /// Patterns as the user wrote them.
    pub(crate) filters: Vec<String>,
    pub(crate) report_item_failures: bool,
    pub(crate) maximum_concurrency: Option<u32>,
    pub(crate) modified: Millis,
    pub(crate) tags: kit::Tags,
    /// What only mappings of streams have.
    #[serde(default)]
    pub(crate) stream: Option<StreamSettings>,
    #[serde(default)]
    pub(crate) pollers: Option<Pollers>,
    /// `KMSKeyArn`: kept and shown; rows are not encrypted with it.
    #[serde(default)]
    pub(crate) kms_key: Option<String>,
    /// `MetricsConfig`, in the model's words; kept and shown.
    #[serde(default)]
    pub(crate) metrics: Option<Vec<String>>,
    /// `LoggingConfig.SystemLogLevel`, in the model's words; kept and shown.
    #[serde(default)]
    pub(crate) log_level: Option<String>,
}

/// How a stream is read, and what becomes of batches that fail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StreamSettings {
    pub(crate) start: Start,
    /// `ParallelizationFactor`: batches of a shard at once.
    pub(crate) lanes: u32,
    /// `BisectBatchOnFunctionError`.
    pub(crate) bisect: bool,
    /// `MaximumRetryAttempts`; `None`: without end.
    pub(crate) retries: Option<u32>,
    /// `MaximumRecordAgeInSeconds`; `None`: as long as the stream keeps them.
    pub(crate) age_seconds: Option<u32>,
    /// `TumblingWindowInSeconds`; 0: no windows.
    pub(crate) tumbling_seconds: u32,
    /// `DestinationConfig.OnFailure`.
    pub(crate) on_failure: Option<Arn>,
}

/// `StartingPosition`, for shards that are there when the mapping begins.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Start {
    TrimHorizon,
    Latest,
    At(Millis),
}

impl Default for StreamSettings {
    /// Lambda's defaults.
    fn default() -> StreamSettings {
        StreamSettings {
            start: Start::TrimHorizon,
            lanes: 1,
            bisect: false,
            retries: None,
            age_seconds: None,
            tumbling_seconds: 0,
            on_failure: None,
        }
    }
}

/// `ProvisionedPollerConfig`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pollers {
    pub(crate) minimum: u32,
    pub(crate) maximum: u32,
}

impl Mapping {
    /// Where its filters look for what producers wrote.
    pub(crate) fn payload(&self) -> Payload {
        match self.source.service() {
            "sqs" => Payload::Body,
            "kinesis" => Payload::Data,
            _ => Payload::Record,
        }
    }
}

/// Where a mapping is in its life, in the words of `State`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Creating,
    Enabling,
    Enabled,
    Disabling,
    Disabled,
    Updating,
    Deleting,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            State::Creating => "Creating",
            State::Enabling => "Enabling",
            State::Enabled => "Enabled",
            State::Disabling => "Disabling",
            State::Disabled => "Disabled",
            State::Updating => "Updating",
            State::Deleting => "Deleting",
        }
    }
}
