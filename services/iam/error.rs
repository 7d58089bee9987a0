//! Every error of IAM: what it says and under which code. Texts are AWS's.

use wire::{Fault, ServiceError};

use crate::limits::{Quota, VERSIONS_PER_POLICY};

/// What goes wrong in IAM.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // The text is the documentation.
pub enum Error {
    #[error("The {kind} with name {name} cannot be found.")]
    NoSuchNamed { kind: &'static str, name: String },
    #[error("Instance Profile {0} cannot be found.")]
    NoSuchProfile(String),
    #[error("The {kind} policy with name {name} cannot be found.")]
    NoSuchInlinePolicy { kind: &'static str, name: String },
    #[error("Policy {0} was not found.")]
    NoSuchPolicy(String),
    #[error("Policy {0} does not exist or is not attachable.")]
    NotAttachable(String),
    #[error("Policy {arn} version {version} does not exist or is not attachable.")]
    NoSuchVersion { arn: String, version: String },
    #[error("Scope ARN: {0} does not exist or is not attachable.")]
    NoSuchBoundary(String),
    #[error("The Access Key with id {0} cannot be found.")]
    NoSuchAccessKey(String),
    #[error("Role {role} in Instance Profile {profile} cannot be found.")]
    NotInProfile { role: String, profile: String },
    #[error("The account alias with name {0} cannot be found.")]
    NoSuchAlias(String),
    #[error("The deletion task {0} cannot be found.")]
    NoSuchDeletion(String),
    #[error("OpenIDConnect Provider not found for arn {0}")]
    NoSuchOidcProvider(String),
    /// What `DeleteOpenIDConnectProvider` says.
    #[error("OpenId connect Provider {0} cannot be found.")]
    NoOidcProviderToDelete(String),
    #[error("Manifest not found for arn {0}")]
    NoSuchSamlProvider(String),
    #[error("The Password Policy with domain name {0} cannot be found.")]
    NoPasswordPolicy(String),
    #[error("The account policy with name PasswordPolicy cannot be found.")]
    NoPasswordPolicyToDelete,
    #[error("Login Profile for User {0} cannot be found.")]
    NoSuchLogin(String),
    #[error("Job with id {0} cannot be found.")]
    NoSuchJob(String),
    #[error("VirtualMFADevice with serial number {0} does not exist.")]
    NoSuchMfaDevice(String),
    #[error("ARN {0} does not name a user, group, role or policy of this account.")]
    NoSuchEntity(String),

    #[error("{kind} with name {name} already exists.")]
    NamedExists { kind: &'static str, name: String },
    #[error("Instance Profile {0} already exists.")]
    ProfileExists(String),
    #[error("A policy called {0} already exists. Duplicate names are not allowed.")]
    PolicyExists(String),
    #[error("The account alias {0} already exists.")]
    AliasExists(String),
    #[error("Provider with url {0} already exists.")]
    OidcProviderExists(String),
    #[error("Login Profile for user {0} already exists.")]
    LoginExists(String),
    #[error("MFADevice entity at the same path and name already exists.")]
    MfaDeviceExists,
    #[error("MFA Device is already in use.")]
    MfaDeviceInUse,
    #[error("MFA VirtualDevice in use. Must deactivate first.")]
    MfaDeviceNotFree,
    #[error("Authentication code for device is not valid.")]
    WrongCodes,

    #[error("Cannot delete entity, must {0} first.")]
    StillInUse(&'static str),
    #[error("Cannot delete a policy attached to entities.")]
    PolicyAttached,
    #[error("Cannot delete the default version of a policy.")]
    DefaultVersion,
    #[error(
        "This policy has more than one version. Before you delete a policy, you must delete the \
         policy's versions. The default version is deleted with the policy."
    )]
    PolicyHasVersions,

    #[error("Cannot exceed quota for {}: {}", .0.name, .0.limit)]
    QuotaExceeded(Quota),
    #[error("Maximum policy size of {limit} bytes exceeded for {kind} {name}")]
    InlinePoliciesTooLarge { limit: usize, kind: &'static str, name: String },
    #[error(
        "A managed policy can have up to {VERSIONS_PER_POLICY} versions. Before you create a new \
         version, you must delete an existing version."
    )]
    TooManyVersions,
    /// What providers say instead of naming the quota.
    #[error("The number of tags has reached the maximum limit.")]
    TooManyTags,

    #[error("{0}")]
    MalformedPolicy(String),
    #[error("ARN {0} is not valid.")]
    InvalidPolicyArn(String),
    #[error("ARN {0} is not valid.")]
    InvalidBoundaryArn(String),
    #[error("Invalid Entity Arn: {0} does not clearly define entity type and name.")]
    InvalidPolicySource(String),
    #[error("A CallerArn must be provided when a resource policy is used.")]
    CallerNeeded,
    #[error("Must specify userName when calling with non-User credentials")]
    UserNameNeeded,
    #[error("Invalid Marker.")]
    InvalidMarker,
    #[error("Invalid Open ID Connect Provider URL")]
    InvalidProviderUrl,
    #[error("Thumbprint list must contain fewer than 5 entries.")]
    TooManyThumbprints,
    #[error("Could not parse metadata")]
    UnreadableMetadata,
    #[error("Password should have {0}")]
    WeakPassword(String),
    #[error("Password was used before and must not be used again")]
    PasswordReused,
    #[error("The old password was incorrect.")]
    WrongPassword,
    #[error("Only IAM users can change their own passwords")]
    NotAUser,
    /// AWS says nothing.
    #[error("")]
    NoReport,
    /// AWS says nothing.
    #[error("")]
    ReportExpired,
    #[error("lampejo does not implement {0} yet.")]
    NotBuilt(&'static str),
    #[error("Duplicate tag keys found. Please note that Tag keys are case insensitive.")]
    DuplicateTags,
    #[error("Duplicate tag keys found.")]
    DuplicatePolicyTags,
    #[error("Service role name {0} has been taken in this account, please try a different suffix.")]
    ServiceRoleTaken(String),
    #[error(
        "Cannot perform the operation on the protected role '{0}' - this role is only modifiable \
         by AWS"
    )]
    ProtectedRole(String),
    #[error("User: {caller} is not authorized to perform: {action} on resource: {resource}")]
    AccessDenied { caller: String, action: &'static str, resource: String },
    /// AWS leaves out one colon in this one.
    #[error(
        "User: {caller} is not authorized to perform iam:GetAccessKeyLastUsed on resource: access \
         key {key}"
    )]
    ForeignAccessKey { caller: String, key: String },

    #[error("hashing a password did not end")]
    HashingFailed,
    #[error(transparent)]
    Commit(#[from] store::CommitError),
}

impl ServiceError for Error {
    fn fault(&self) -> Fault {
        use Error as E;
        let code = match self {
            E::NoSuchNamed { .. }
            | E::NoSuchProfile(_)
            | E::NoSuchInlinePolicy { .. }
            | E::NoSuchPolicy(_)
            | E::NotAttachable(_)
            | E::NoSuchVersion { .. }
            | E::NoSuchBoundary(_)
            | E::NoSuchAccessKey(_)
            | E::NotInProfile { .. }
            | E::NoSuchAlias(_)
            | E::NoSuchDeletion(_)
            | E::NoSuchOidcProvider(_)
            | E::NoOidcProviderToDelete(_)
            | E::NoSuchSamlProvider(_)
            | E::NoPasswordPolicy(_)
            | E::NoPasswordPolicyToDelete
            | E::NoSuchLogin(_)
            | E::NoSuchJob(_)
            | E::NoSuchMfaDevice(_)
            | E::NoSuchEntity(_) => "NoSuchEntityException",
            E::NamedExists { .. }
            | E::ProfileExists(_)
            | E::PolicyExists(_)
            | E::AliasExists(_)
            | E::OidcProviderExists(_)
            | E::LoginExists(_)
            | E::MfaDeviceExists
            | E::MfaDeviceInUse => "EntityAlreadyExistsException",
            E::StillInUse(_)
            | E::PolicyAttached
            | E::DefaultVersion
            | E::PolicyHasVersions
            | E::MfaDeviceNotFree => "DeleteConflictException",
            E::WrongCodes => "InvalidAuthenticationCodeException",
            E::QuotaExceeded(_)
            | E::InlinePoliciesTooLarge { .. }
            | E::TooManyVersions
            | E::TooManyTags => "LimitExceededException",
            E::MalformedPolicy(_) => "MalformedPolicyDocumentException",
            E::InvalidBoundaryArn(_)
            | E::InvalidPolicySource(_)
            | E::CallerNeeded
            | E::DuplicateTags
            | E::DuplicatePolicyTags
            | E::ServiceRoleTaken(_)
            | E::TooManyThumbprints
            | E::UnreadableMetadata => "InvalidInputException",
            E::WeakPassword(_) | E::PasswordReused => "PasswordPolicyViolationException",
            E::NotAUser => "InvalidUserTypeException",
            E::NoReport => "CredentialReportNotPresentException",
            E::ReportExpired => "CredentialReportExpiredException",
            E::ProtectedRole(_) => "UnmodifiableEntityException",
            E::InvalidPolicyArn(_)
            | E::UserNameNeeded
            | E::InvalidMarker
            | E::InvalidProviderUrl => "ValidationError",
            E::NotBuilt(_) => {
                return Fault::new("NotImplemented", self.to_string()).with_status(501);
            }
            E::AccessDenied { .. } | E::ForeignAccessKey { .. } | E::WrongPassword => {
                return Fault::new("AccessDenied", self.to_string()).with_status(403);
            }
            E::HashingFailed => return Fault::internal(self),
            E::Commit(cause) => return Fault::internal(cause),
        };
        Fault::new(code, self.to_string())
    }
}
