//! What the Extensions API says when it refuses. All are 403; texts as AWS answers them. Pure.

use super::roster::{Kind, MAX_EXTENSIONS, State};

/// Why a request of an extension was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// `Lambda-Extension-Name` is missing.
    NoName,
    /// The body is no request; in the words of the parser.
    Format(String),
    /// An event that there is not, or not for this kind of extension.
    Event { event: String, kind: Kind },
    /// The runtime has asked for its first event already.
    Closed,
    /// Another extension has the name.
    Taken,
    /// There are as many as there may be.
    TooMany,
    /// `Lambda-Extension-Identifier` is missing.
    NoIdentifier,
    /// `Lambda-Extension-Identifier` is no UUID.
    InvalidIdentifier,
    /// No extension has this id.
    Unknown(String),
    /// No extension has the id that came with an error.
    UnknownIdentifier,
    /// `Lambda-Extension-Function-Error-Type` is missing.
    NoErrorType,
    /// Not now.
    Transition { from: State, to: State, extension: String },
    /// Subscriptions are for the init phase: which API is closed, `Telemetry` or `Logs`.
    SubscriptionClosed(&'static str),
}

impl Refused {
    pub(super) fn transition(from: State, to: State, extension: &str) -> Refused {
        Refused::Transition { from, to, extension: extension.to_owned() }
    }

    /// `errorType`.
    pub(crate) fn error_type(&self) -> &'static str {
        match self {
            Refused::NoName => "Extension.InvalidExtensionName",
            Refused::Format(_) => "InvalidRequestFormat",
            Refused::Event { .. } => "Extension.InvalidEventType",
            Refused::Closed => "Extension.RegistrationClosed",
            Refused::TooMany => "Extension.TooManyExtensions",
            Refused::NoIdentifier => "Extension.MissingExtensionIdentifier",
            Refused::InvalidIdentifier => "Extension.InvalidExtensionIdentifier",
            Refused::Unknown(_) | Refused::UnknownIdentifier => {
                "Extension.UnknownExtensionIdentifier"
            }
            Refused::NoErrorType => "Extension.MissingHeader",
            Refused::Taken | Refused::Transition { .. } => "Extension.InvalidExtensionState",
            Refused::SubscriptionClosed("Logs") => "Logs.SubscriptionClosed",
            Refused::SubscriptionClosed(_) => "Telemetry.SubscriptionClosed",
        }
    }

    /// `errorMessage`.
    pub(crate) fn message(&self) -> String {
        match self {
            Refused::NoName => "Empty extension name".to_owned(),
            Refused::Format(text) => text.clone(),
            Refused::Event { event, kind } => match (event.as_str(), kind) {
                ("SHUTDOWN", Kind::Internal) => {
                    format!("{event}: ShutdownEventNotSupportedForInternalExtension")
                }
                _ => format!("{event}: ErrorInvalidEventType"),
            },
            Refused::Closed => "Extension registration closed already".to_owned(),
            Refused::Taken => "Extension with this name already registered".to_owned(),
            Refused::TooMany => format!("Extension limit ({MAX_EXTENSIONS}) reached"),
            Refused::NoIdentifier => "Missing Lambda-Extension-Identifier header".to_owned(),
            Refused::InvalidIdentifier => "Invalid Lambda-Extension-Identifier".to_owned(),
            Refused::Unknown(id) => format!("Unknown extension {id}"),
            Refused::UnknownIdentifier => "Unknown Lambda-Extension-Identifier".to_owned(),
            Refused::NoErrorType => "Lambda-Extension-Function-Error-Type not found".to_owned(),
            Refused::Transition { from, to, extension } => format!(
                "State transition from {} to {} failed for extension {extension}. \
                 Error: State transition is not allowed",
                from.as_str(),
                to.as_str()
            ),
            Refused::SubscriptionClosed(api) => format!("{api} API subscription is closed"),
        }
    }
}
