//! Every error of this service, with the code and text that clients see.

use store::{AppendError, CommitError, ReadError};
use wire::{Fault, ServiceError};

use crate::{limits, pattern::PatternError};

/// Why an operation did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such group.
    #[error("The specified log group does not exist.")]
    GroupNotFound,
    /// There is no such stream.
    #[error("The specified log stream does not exist.")]
    StreamNotFound,
    /// A group has this name.
    #[error("The specified log group already exists")]
    GroupExists,
    /// A stream has this name.
    #[error("The specified log stream already exists")]
    StreamExists,
    /// The region holds as many groups as it may.
    #[error("Resource limit exceeded.")]
    TooManyGroups,
    /// A group would have more tags than it may.
    #[error("The specified log group has more than {} tags.", limits::TAGS)]
    TooManyTags {
        /// The group's ARN.
        group: String,
    },
    /// The group must not be deleted.
    #[error("Deletion protection is enabled for the specified log group.")]
    Protected,
    /// There are no keys of KMS.
    #[error("The specified KMS key does not exist or is not allowed to be used with Arn '{group}'")]
    NoSuchKey {
        /// The group's ARN.
        group: String,
    },
    /// A parameter is not what it must be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The disk is full: trying again may help.
    #[error("The service cannot complete the request.")]
    DiskFull,
    /// Our fault.
    #[error("{0}")]
    Internal(String),
}

/// What is wrong with a parameter.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // The texts say it.
pub enum Invalid {
    #[error("Log groups starting with AWS/ are reserved for AWS.")]
    ReservedName,
    #[error("Upload too large: {bytes} bytes exceeds limit of {}", limits::BATCH_BYTES)]
    BatchTooLarge { bytes: usize },
    #[error("Log event too large: {bytes} bytes exceeds limit of {}", limits::EVENT_BYTES)]
    EventTooLarge { bytes: usize },
    #[error("Log events in a single PutLogEvents request must be in chronological order.")]
    NotChronological,
    #[error(
        "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
    )]
    BatchTooLong,
    #[error("The specified nextToken is invalid.")]
    Token,
    #[error("Cannot order by LastEventTime with a logStreamNamePrefix.")]
    OrderWithPrefix,
    #[error("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")]
    PrefixAndPattern,
    #[error("logStreamNamePrefix and logStreamNames are mutually exclusive parameters.")]
    NamesAndPrefix,
    #[error("Exactly one of logGroupName and logGroupIdentifier must be specified.")]
    GroupOnce,
    #[error(
        "startFromHead can be false only when startTime is on or after Jan 1, 2024 00:00:00 UTC."
    )]
    BackwardStart,
    #[error("The specified resource ARN is not valid.")]
    ResourceArn,
    #[error("Tag keys starting with aws: are reserved for AWS.")]
    ReservedTag,
    #[error(
        "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy \
         constraint: Member must satisfy enum value set: {:?}",
        limits::RETENTION_DAYS
    )]
    Retention { days: i32 },
    #[error("{}", pattern_text(.0, "Invalid filter pattern"))]
    EventPattern(PatternReason),
    #[error("{}", pattern_text(.0, "Invalid metric filter pattern"))]
    MetricPattern(PatternReason),
}

/// What is wrong with a filter pattern.
#[derive(Debug)]
pub struct PatternReason(PatternError);

impl Invalid {
    /// A pattern of events that is none.
    pub(crate) fn event_pattern(error: PatternError) -> Invalid {
        Invalid::EventPattern(PatternReason(error))
    }

    /// A pattern of metrics that is none.
    pub(crate) fn metric_pattern(error: PatternError) -> Invalid {
        Invalid::MetricPattern(PatternReason(error))
    }
}

fn pattern_text(reason: &PatternReason, otherwise: &str) -> String {
    match &reason.0 {
        PatternError::Invalid => otherwise.to_owned(),
        PatternError::Character(text) => format!("Invalid character(s) in term '{text}'"),
        PatternError::Unclosed { open, close } => {
            format!("If a filter pattern starts with '{open}' it must end with '{close}'")
        }
    }
}

impl ServiceError for Error {
    fn fault(&self) -> Fault {
        let code = match self {
            Error::GroupNotFound | Error::StreamNotFound => "ResourceNotFoundException",
            Error::GroupExists | Error::StreamExists => "ResourceAlreadyExistsException",
            Error::TooManyGroups => "LimitExceededException",
            Error::TooManyTags { group } => {
                return Fault::new("TooManyTagsException", self.to_string())
                    .with_member("resourceName", group);
            }
            Error::Protected => "ValidationException",
            Error::NoSuchKey { .. } => "AccessDeniedException",
            Error::Invalid(_) => "InvalidParameterException",
            Error::DiskFull => "ServiceUnavailableException",
            Error::Internal(cause) => return Fault::internal(cause),
        };
        Fault::new(code, self.to_string())
    }
}

impl From<CommitError> for Error {
    fn from(error: CommitError) -> Error {
        match error {
            CommitError::DiskFull => Error::DiskFull,
            other => Error::Internal(other.to_string()),
        }
    }
}

impl From<AppendError> for Error {
    fn from(error: AppendError) -> Error {
        match error {
            AppendError::DiskFull => Error::DiskFull,
            AppendError::Stopped(_) => Error::Internal(error.to_string()),
        }
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Error {
        Error::Internal(error.to_string())
    }
}
