//! Every error this service answers with: variant → code and text. Nowhere else is a code written.

use store::{CommitError, ReadError};
use wire::{Fault, ServiceError};

/// What can go wrong, in AWS's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such queue in the caller's account and region.
    #[error("The specified queue does not exist.")]
    QueueDoesNotExist,
    /// Another account has no such queue, or does not let the caller know.
    #[error("The specified queue does not exist or you do not have access to it.")]
    QueueOutOfReach,
    /// CreateQueue named an existing queue and another value for this attribute.
    #[error("A queue already exists with the same name and a different value for attribute {0}")]
    QueueNameExists(String),
    /// CreateQueue came too soon after DeleteQueue.
    #[error(
        "You must wait 60 seconds after deleting a queue before you can create another with the same name."
    )]
    QueueDeletedRecently,
    /// PurgeQueue came too soon after PurgeQueue on this queue.
    #[error("Only one PurgeQueue operation on {0} is allowed every 60 seconds.")]
    PurgeQueueInProgress(String),
    /// This is no receipt handle of the queue.
    #[error("The input receipt handle \"{0}\" is not a valid receipt handle.")]
    ReceiptHandleIsInvalid(String),
    /// The message has been made visible before.
    #[error("The specified message isn't in flight.")]
    MessageNotInflight,
    /// A parameter is wrong; the text says which and why.
    #[error("{0}")]
    InvalidParameterValue(String),
    /// This parameter is missing or empty.
    #[error("The request must contain the parameter {0}.")]
    MissingParameter(String),
    /// An attribute that there is not, or not on this queue.
    #[error("{0}")]
    InvalidAttributeName(String),
    /// A value that an attribute cannot have.
    #[error("{0}")]
    InvalidAttributeValue(String),
    /// A character that messages cannot hold.
    #[error(
        "Invalid binary character '#x{0:X}' was found in the message body, the set of allowed characters is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]."
    )]
    InvalidMessageContents(u32),
    /// A batch without entries of this name.
    #[error("There should be at least one {0} in the request.")]
    EmptyBatchRequest(&'static str),
    /// A batch of this many entries.
    #[error("Maximum number of entries per request are 10. You have sent {0}.")]
    TooManyEntriesInBatchRequest(usize),
    /// Two entries of a batch have this id.
    #[error("Id {0} repeated.")]
    BatchEntryIdsNotDistinct(String),
    /// An entry's id is malformed.
    #[error(
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."
    )]
    InvalidBatchEntryId,
    /// A batch of this many bytes.
    #[error("Batch requests cannot be longer than 1048576 bytes. You have sent {0} bytes.")]
    BatchRequestTooLong(usize),
    /// A quota is reached.
    #[error("{0}")]
    OverLimit(String),
    /// A move task, or a queue that one names, does not exist.
    #[error("{0}")]
    ResourceNotFound(&'static str),
    /// The operation does not fit the resource's state.
    #[error("{0}")]
    UnsupportedOperation(String),
    /// The disk is full; trying again may help.
    #[error("The request has failed due to a temporary failure of the server.")]
    DiskFull,
    /// The store failed. The cause goes to the log.
    #[error("the store failed: {0}")]
    Store(String),
}

impl Error {
    /// `Value V for parameter P is invalid. Reason: R`
    pub(crate) fn invalid(
        value: impl std::fmt::Display,
        parameter: &str,
        reason: impl std::fmt::Display,
    ) -> Error {
        Error::InvalidParameterValue(format!(
            "Value {value} for parameter {parameter} is invalid. Reason: {reason}"
        ))
    }

    /// An attribute that there is not.
    pub(crate) fn unknown_attribute(name: &str) -> Error {
        Error::InvalidAttributeName(format!("Unknown Attribute {name}."))
    }

    /// An attribute's value that is wrong, without a reason.
    pub(crate) fn attribute_value(name: &str) -> Error {
        Error::InvalidAttributeValue(format!("Invalid value for the parameter {name}."))
    }

    /// Whether the caller is to blame.
    pub(crate) fn is_callers(&self) -> bool {
        !matches!(self, Error::DiskFull | Error::Store(_))
    }

    /// The error shape's name, or the code where the model has no shape for it. Failed entries of
    /// batches carry it as it is; the front knows the query protocol's code for it.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Error::QueueDoesNotExist | Error::QueueOutOfReach => "QueueDoesNotExist",
            Error::QueueNameExists(_) => "QueueNameExists",
            Error::QueueDeletedRecently => "QueueDeletedRecently",
            Error::PurgeQueueInProgress(_) => "PurgeQueueInProgress",
            Error::ReceiptHandleIsInvalid(_) => "ReceiptHandleIsInvalid",
            Error::MessageNotInflight => "MessageNotInflight",
            Error::InvalidParameterValue(_) => "InvalidParameterValue",
            Error::MissingParameter(_) => "MissingParameter",
            Error::InvalidAttributeName(_) => "InvalidAttributeName",
            Error::InvalidAttributeValue(_) => "InvalidAttributeValue",
            Error::InvalidMessageContents(_) => "InvalidMessageContents",
            Error::EmptyBatchRequest(_) => "EmptyBatchRequest",
            Error::TooManyEntriesInBatchRequest(_) => "TooManyEntriesInBatchRequest",
            Error::BatchEntryIdsNotDistinct(_) => "BatchEntryIdsNotDistinct",
            Error::InvalidBatchEntryId => "InvalidBatchEntryId",
            Error::BatchRequestTooLong(_) => "BatchRequestTooLong",
            Error::OverLimit(_) => "OverLimit",
            Error::ResourceNotFound(_) => "ResourceNotFoundException",
            Error::UnsupportedOperation(_) => "UnsupportedOperation",
            Error::DiskFull => "ServiceUnavailable",
            Error::Store(_) => "InternalFailure",
        }
    }
}

impl ServiceError for Error {
    fn fault(&self) -> Fault {
        match self {
            Error::Store(cause) => Fault::internal(cause),
            Error::DiskFull => Fault::new(self.code(), self.to_string()).with_status(503),
            _ => Fault::new(self.code(), self.to_string()),
        }
    }
}

impl From<CommitError> for Error {
    fn from(error: CommitError) -> Error {
        match error {
            CommitError::DiskFull => Error::DiskFull,
            CommitError::Conflict(_) | CommitError::Stopped(_) => Error::Store(error.to_string()),
        }
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Error {
        Error::Store(error.to_string())
    }
}
