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
    #[error(
        "One of the specified transitive tag keys can't be set because it conflicts with a \
         transitive tag key from the calling session."
    )]
    InheritedTag,
    #[error(
        "User: {caller} is not authorized to perform: sts:SetSourceIdentity on resource: {role}"
    )]
    SourceIdentityIsSet { caller: String, role: String },
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
    #[error("MultiFactorAuthentication failed with invalid MFA one time pass code. ")]
    WrongMfaCode,
    #[error(
        "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass \
         code. "
    )]
    HalfAnMfaProof,
    #[error("The access key ID {0} is not valid.")]
    InvalidAccessKeyId(String),
    #[error("The message is not valid.")]
    InvalidAuthorizationMessage,

    // Tokens of OpenID Connect providers.
    #[error(
        "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access \
         Token)"
    )]
    NoToken,
    #[error("No OpenIDConnect provider found in your account for {0}")]
    NoProvider(String),
    /// With two spaces, as AWS says it.
    #[error(
        "Couldn't retrieve verification key from your identity provider,  please reference \
         AssumeRoleWithWebIdentity documentation for requirements"
    )]
    NoVerificationKey,
    #[error("The identity provider could not be reached")]
    IssuerUnreachable,
    #[error("The signature of the token is not valid")]
    BadSignature,
    #[error("Missing a required claim: {0}")]
    MissingClaim(&'static str),
    #[error("Incorrect token audience")]
    WrongAudience,
    #[error("The token is not valid yet")]
    TokenNotYetValid,
    #[error(
        "Token expired: current date/time {now} must be before the expiration date/time {expiry}"
    )]
    TokenExpired { now: u64, expiry: u64 },
    #[error("Not authorized to perform {0}")]
    NotTrusted(&'static str),
}

impl ServiceError for Error {
    fn fault(&self) -> Fault {
        use Error as E;
        let code = match self {
            E::InvalidRoleArn(_)
            | E::LongerThanRoleAllows
            | E::LongerThanChainAllows
            | E::InvalidAccessKeyId(_) => "ValidationError",
            E::DuplicateTags | E::UnknownTransitiveTag | E::InheritedTag => "InvalidParameterValue",
            E::MalformedPolicy(_) => "MalformedPolicyDocumentException",
            E::PolicyTooLarge(_) => "PackedPolicyTooLargeException",
            E::InvalidAuthorizationMessage => "InvalidAuthorizationMessageException",
            E::NoToken
            | E::NoProvider(_)
            | E::NoVerificationKey
            | E::BadSignature
            | E::MissingClaim(_)
            | E::WrongAudience
            | E::TokenNotYetValid => "InvalidIdentityTokenException",
            E::IssuerUnreachable => "IDPCommunicationErrorException",
            E::TokenExpired { .. } => "ExpiredTokenException",
            E::MayNotAssume { .. }
            | E::SourceIdentityIsSet { .. }
            | E::NotTrusted(_)
            | E::SessionCredentials(_)
            | E::UnknownMfaDevice
            | E::WrongMfaCode
            | E::HalfAnMfaProof => {
                return Fault::new("AccessDenied", self.to_string()).with_status(403);
            }
        };
        Fault::new(code, self.to_string())
    }
}
