//! What goes wrong, in the shape that every protocol can write.

use std::borrow::Cow;

/// An error on its way to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The error shape's name in the model (`QueueDoesNotExist`), or the code itself where the model
    /// has no shape for it.
    pub code: Cow<'static, str>,
    /// HTTP status; `None`: what the model says, else 400.
    pub status: Option<u16>,
    /// The text.
    pub message: String,
    /// Further members of the error document, by wire name (`Type`, `Reason`).
    pub members: Vec<(&'static str, String)>,
    /// Further headers (`Retry-After`).
    pub headers: Vec<(&'static str, String)>,
}

impl Fault {
    /// An error whose status is in the model.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Fault {
        Fault {
            code: code.into(),
            status: None,
            message: message.into(),
            members: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// The same with a status of its own.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Fault {
        self.status = Some(status);
        self
    }

    /// The same with one more member.
    #[must_use]
    pub fn with_member(mut self, name: &'static str, value: impl Into<String>) -> Fault {
        self.members.push((name, value.into()));
        self
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Fault {
        self.headers.push((name, value.into()));
        self
    }

    /// A fault of ours. The cause goes to the log, not to the client.
    pub fn internal(cause: &dyn std::fmt::Display) -> Fault {
        tracing::error!(%cause, "internal failure");
        Fault::new(
            "InternalFailure",
            "The request processing has failed because of an unknown error.",
        )
        .with_status(500)
    }

    /// A known operation that is not built.
    pub fn not_implemented(service: &str, operation: &str) -> Fault {
        Fault::new(
            "NotImplemented",
            format!("lampejo does not implement {service}:{operation} yet."),
        )
        .with_status(501)
    }
}

/// A service's error type: one variant per thing that can go wrong.
pub trait ServiceError: std::error::Error + Send {
    /// Its code, status and text.
    fn fault(&self) -> Fault;
}
