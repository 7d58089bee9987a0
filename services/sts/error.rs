//! Every error of the token service: what it says and under which code. Texts are AWS's.

use wire::{Fault, ServiceError};

/// What goes wrong in the token service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // The text is the documentation.
pub enum Error {
    #[error("{0} is invalid")]
    InvalidRoleArn(String),
    #[error("User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role}")]
    MayNotAssume { caller: String, role: String },
    #[error("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")]
    LongerThanRoleAllows,
    #[error(
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role \
         chaining."
    )]
    LongerThanChainAllows,
    #[error("Duplicate tag keys found. Please note that Tag keys are case insensitive.")]
    DuplicateTags,
    #[error("The specified transitive tag key must be included in the requested tags.")]
    UnknownTransitiveTag,
    #[error("{0}")]
    MalformedPolicy(String),
    #[error("Packed policy consumes {0}% of allotted space, please use smaller policy.")]
    PolicyTooLarge(usize),
    #[error("Cannot call {0} with session credentials")]
    SessionCredentials(&'static str),
    #[error(
        "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA \
         serial number is valid and associated with this user."
    )]
    UnknownMfaDevice,
    #[error("The access key ID {0} is not valid.")]
    InvalidAccessKeyId(String),
}

impl ServiceError for Error {
    fn fault(&self) -> Fault {
        use Error as E;
        let code = match self {
            E::InvalidRoleArn(_)
            | E::LongerThanRoleAllows
            | E::LongerThanChainAllows
            | E::InvalidAccessKeyId(_) => "ValidationError",
            E::DuplicateTags | E::UnknownTransitiveTag => "InvalidParameterValue",
            E::MalformedPolicy(_) => "MalformedPolicyDocumentException",
            E::PolicyTooLarge(_) => "PackedPolicyTooLargeException",
            E::MayNotAssume { .. } | E::SessionCredentials(_) | E::UnknownMfaDevice => {
                return Fault::new("AccessDenied", self.to_string()).with_status(403);
            }
        };
        Fault::new(code, self.to_string())
    }
}
