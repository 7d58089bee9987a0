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

    #[error("{kind} with name {name} already exists.")]
    NamedExists { kind: &'static str, name: String },
    #[error("Instance Profile {0} already exists.")]
    ProfileExists(String),
    #[error("A policy called {0} already exists. Duplicate names are not allowed.")]
    PolicyExists(String),
    #[error("The account alias {0} already exists.")]
    AliasExists(String),

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
            | E::NoSuchDeletion(_) => "NoSuchEntityException",
            E::NamedExists { .. }
            | E::ProfileExists(_)
            | E::PolicyExists(_)
            | E::AliasExists(_) => "EntityAlreadyExistsException",
            E::StillInUse(_) | E::PolicyAttached | E::DefaultVersion | E::PolicyHasVersions => {
                "DeleteConflictException"
            }
            E::QuotaExceeded(_) | E::InlinePoliciesTooLarge { .. } | E::TooManyVersions => {
                "LimitExceededException"
            }
            E::MalformedPolicy(_) => "MalformedPolicyDocumentException",
            E::InvalidBoundaryArn(_)
            | E::InvalidPolicySource(_)
            | E::CallerNeeded
            | E::DuplicateTags
            | E::DuplicatePolicyTags
            | E::ServiceRoleTaken(_) => "InvalidInputException",
            E::ProtectedRole(_) => "UnmodifiableEntityException",
            E::InvalidPolicyArn(_) | E::UserNameNeeded | E::InvalidMarker => "ValidationError",
            E::AccessDenied { .. } | E::ForeignAccessKey { .. } => {
                return Fault::new("AccessDenied", self.to_string()).with_status(403);
            }
            E::Commit(cause) => return Fault::internal(cause),
        };
        Fault::new(code, self.to_string())
    }
}
