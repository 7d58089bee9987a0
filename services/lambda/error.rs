//! Every error this service answers with: variant → code, status and text. Nowhere else is a code
//! written. Texts are AWS's wherever they are known.

use kit::{Caller, Region};
use store::{BlobError, CommitError, ReadError};
use wire::{Fault, ServiceError};

use crate::{invoke::concurrency::Throttled, layers::name::LayerVersionName, limits, runtimes};

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // The text is the documentation.
pub enum Error {
    // ResourceNotFoundException
    /// A function, or a version or alias of one, by its ARN.
    #[error("Function not found: {0}")]
    NoSuchFunction(String),
    #[error("Cannot find alias arn: {0}")]
    NoSuchAlias(String),
    #[error("The resource you requested does not exist.")]
    NoSuchResource,
    #[error("No policy is associated with the given resource.")]
    NoPolicy,
    #[error("Statement {0} is not found in resource policy.")]
    NoSuchStatement(String),
    #[error("Functions from '{named}' are not reachable in this region ('{here}')")]
    OtherRegion { named: Region, here: Region },
    #[error("The function doesn't exist.")]
    NoFunctionForEvents,
    #[error("The function {0} doesn't have an EventInvokeConfig")]
    NoEventPolicy(String),

    // Function URLs
    #[error("Function does not exist")]
    NoFunctionForUrl,
    #[error(
        "Failed to create function url config for [functionArn = {0}]. Error message:  \
         FunctionUrlConfig exists for this Lambda function"
    )]
    UrlExists(String),

    // ResourceConflictException
    #[error("Function already exist: {0}")]
    FunctionExists(String),
    #[error("Alias already exists: {0}")]
    AliasExists(String),
    #[error(
        "The statement id ({0}) provided already exists. Please provide a new statement id, or \
         remove the existing statement."
    )]
    StatementExists(String),
    #[error(
        "The operation cannot be performed at this time. An update is in progress for resource: {0}"
    )]
    UpdateInProgress(String),
    #[error(
        "Unable to delete version because the following aliases reference it: [{}]",
        .0.join(", ")
    )]
    VersionInUse(Vec<String>),
    #[error(
        "An event source mapping with SQS arn (\" {source_arn} \") and function (\" {function} \") \
         already exists. Please update or delete the existing mapping with UUID {id}"
    )]
    QueueMappingExists { source_arn: String, function: String, id: String },
    #[error(
        "The event source arn (\" {source_arn} \") and function (\" {function} \") provided mapping \
         already exists. Please update or delete the existing mapping with UUID {id}"
    )]
    StreamMappingExists { source_arn: String, function: String, id: String },

    // provisioned concurrency, recursion: ResourceConflictException,
    // ProvisionedConcurrencyConfigNotFoundException, InvalidParameterValueException,
    // RecursiveInvocationException
    #[error(
        "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned \
         version"
    )]
    VersionOfAliasProvisioned,
    #[error("Version is pointed by a Provisioned Concurrency alias")]
    AliasOfVersionProvisioned,
    #[error("No Provisioned Concurrency Config found for this function")]
    NotProvisioned,
    #[error("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")]
    LatestProvisioned,
    #[error("The function resource provided must be an alias or a published version.")]
    NeitherAliasNorVersion,
    #[error("Alias with weights can not be used with Provisioned Concurrency")]
    WeightedAliasProvisioned,
    #[error(
        "Requested Provisioned Concurrency should not be greater than the \
         reservedConcurrentExecution for function"
    )]
    ProvisionedBeyondReserved,
    #[error(
        "Specified ConcurrentExecutions for function is greater than account's unreserved \
         concurrency [{0}]."
    )]
    ProvisionedBeyondAccount(u32),
    #[error(
        "Specified ConcurrentExecutions for function decreases account's \
         UnreservedConcurrentExecution below its minimum value of [{}].",
        limits::UNRESERVED_MINIMUM
    )]
    TooMuchProvisioned,
    #[error(
        "ReservedConcurrentExecutions {reserved} should not be lower than function's total \
         provisioned concurrency [{provisioned}]."
    )]
    ReservedBelowProvisioned { reserved: u32, provisioned: u32 },
    #[error(
        "Lambda has detected your function being invoked in a recursive loop with other Amazon Web \
         Services resources and stopped your function's invocation."
    )]
    RecursiveInvocation,

    // PreconditionFailedException
    #[error(
        "The Revision Id provided does not match the latest Revision Id. Call the \
         GetFunction/GetAlias API to retrieve the latest Revision Id"
    )]
    RevisionDiffers,

    // InvalidParameterValueException
    #[error("{0}")]
    InvalidParameter(String),
    #[error("The derived qualifier from the function name does not match the specified qualifier.")]
    QualifiersDiffer,
    #[error("$LATEST version cannot be deleted without deleting the function.")]
    LatestNotDeletable,
    #[error("Deletion of aliases is not currently supported.")]
    AliasNotDeletable,
    #[error("We currently do not support adding policies for $LATEST.")]
    PolicyOfLatest,
    #[error("The provided principal was invalid. Please check the principal and try again.")]
    InvalidPrincipal,
    #[error(
        "Tags on function aliases and versions are not supported. Please specify a function ARN."
    )]
    TagsOfVersion,
    #[error("Number of tags exceeds resource tag limit.")]
    TooManyTags,
    #[error(
        "This operation is permitted on Lambda functions only. Aliases and versions do not support \
         this operation. Please specify either a function name or an unqualified function ARN."
    )]
    FunctionsOnly,
    #[error(
        "Specified ReservedConcurrentExecutions for function decreases account's \
         UnreservedConcurrentExecution below its minimum value of [{}].",
        limits::UNRESERVED_MINIMUM
    )]
    TooMuchReserved,
    #[error(
        "Runtime and Handler are mandatory parameters for functions created with deployment packages."
    )]
    RuntimeAndHandlerNeeded,
    #[error(
        "Value {0} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: \
         [{1}] or be a valid ARN"
    )]
    UnknownRuntime(String, String),
    #[error(
        "The runtime parameter of {0} is no longer supported for creating or updating AWS Lambda \
         functions. We recommend you use a supported runtime while creating or updating functions."
    )]
    DeprecatedRuntime(String),
    #[error(
        "Lambda was unable to configure your environment variables because the environment \
         variables you have provided exceeded the 4KB limit. String measured: {0}"
    )]
    EnvironmentTooLarge(String),
    #[error(
        "Lambda was unable to configure your environment variables because the environment \
         variables you have provided contains reserved keys that are currently not supported for \
         modification. Reserved keys used in this request: {0}"
    )]
    ReservedVariables(String),
    #[error("Please provide a source for function code.")]
    NoCode,
    #[error("Please do not provide other FunctionCode parameters when providing a ZipFile.")]
    TwoSourcesOfCode,
    #[error("Uploaded file must be a non-empty zip")]
    EmptyPackage,
    #[error("Could not unzip uploaded file. Please check your file, then try to upload again.")]
    NotAPackage,
    #[error("Unzipped size must be smaller than {} bytes", limits::UNZIPPED_BYTES)]
    UnzippedTooLarge,
    #[error("Error occurred while GetObject. {0}")]
    NoSuchObject(bus::NoSuchObject),
    #[error(
        "CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({current}). Please \
         try again with the CodeSHA256 in $LATEST."
    )]
    CodeDiffers { given: String, current: String },
    #[error("Number of items in AdditionalVersionWeights cannot be greater than 1")]
    TooManyWeights,
    #[error(
        "Invalid function version {0}. Function version {0} is already included in routing \
         configuration."
    )]
    VersionWeighedTwice(u64),
    #[error("$LATEST is not supported for an alias pointing to more than 1 version")]
    LatestWeighed,
    /// The machine lacks the runtime; the text says how to get it.
    #[error("{0}")]
    RuntimeMissing(String),

    // asynchronous events (InvalidParameterValueException)
    #[error("You can't specify the function as a destination for itself.")]
    DestinationIsItself,
    #[error("The destination ARN {0} is invalid.")]
    InvalidDestination(String),
    #[error("You must specify at least one of error handling or destination setting.")]
    NothingForEvents,

    // InvalidParameterValueException, of container images
    #[error("Source image {0} does not exist. Provide a valid source image.")]
    ImageMissing(String),
    #[error("Source image {image} is not valid. Provide a valid source image. ({why})")]
    ImageInvalid { image: String, why: String },
    #[error(
        "The image manifest, config or layer media type for the source image {image} is not \
         supported. ({what})"
    )]
    ImageUnsupported { image: String, what: String },
    #[error("Lambda does not have permission to access the ECR image. Check the ECR permissions.")]
    ImageDenied,
    #[error("Source image {image} could not be fetched: {why}")]
    ImageNotFetched { image: String, why: String },
    #[error("Please provide ImageUri when {0} a function with packageType Image.")]
    ImageUriNeeded(&'static str),
    #[error("Please don't provide ImageUri when {0} a function with packageType Zip.")]
    ImageUriUnwanted(&'static str),
    #[error(
        "Please don't provide handler or runtime or layer when the intended function PackageType \
         is IMAGE."
    )]
    NotOfImages,
    #[error("Code signing is not supported for functions created with container images.")]
    SignedImage,
    #[error("Please don't provide ImageConfig when the intended function PackageType is ZIP.")]
    OnlyOfImages,

    // ValidationException
    #[error(
        "1 validation error detected: Value '{0}' at 'functionName' failed to satisfy constraint: \
         Member must satisfy regular expression pattern: \
         (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{{2}}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{{1}}:)?\
         (\\d{{12}}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?"
    )]
    InvalidFunctionName(String),
    #[error(
        "1 validation error detected: Value '{0}' at 'functionName' failed to satisfy constraint: \
         Member must have length less than or equal to {most}",
        most = limits::NAME_CHARS
    )]
    NameTooLong(String),
    #[error(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: \
         Member must have value less than or equal to {most}"
    )]
    TooGreat { value: i32, member: &'static str, most: i32 },
    #[error(
        "1 validation error detected: Value '{{{weights}}}' at \
         'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value must \
         satisfy constraint: [Member must have value less than or equal to 1.0, Member must have \
         value greater than or equal to 0.0, Member must not be null]"
    )]
    WeightOutOfRange { weights: String },

    // roles
    #[error("The role defined for the function cannot be assumed by Lambda.")]
    RoleNotAssumable,
    #[error("The provided execution role does not have permissions to call {name} on {service}")]
    RoleLacks { name: &'static str, service: &'static str },
    /// Its text is the sentence of who decides.
    #[error("{0}")]
    AccessDenied(String),

    // others
    #[error("User: {caller} is not authorized to perform this operation on resource: {function}")]
    OtherAccount { caller: String, function: String },
    #[error("The final policy size ({0}) is bigger than the limit ({most})", most = limits::POLICY_BYTES)]
    PolicyTooLong(usize),
    #[error("Zipped size must be smaller than {} bytes", limits::ZIPPED_BYTES)]
    ZippedTooLarge,
    #[error("lampejo does not support {0} yet.")]
    NotBuilt(&'static str),
    #[error("Rate Exceeded.")]
    Throttled(Throttled),
    /// The server's own limit of instances.
    #[error("{0}")]
    ServerBusy(String),
    #[error("The server is shutting down.")]
    Stopping,
    #[error("{0}")]
    InvalidRuntime(String),
    #[error("{0}")]
    Service(String),
    #[error("{0}")]
    InvalidRequestContent(String),
    #[error(
        "{bytes} byte payload is too large for the {kind} invocation type (limit {limit} bytes)"
    )]
    PayloadTooLarge { bytes: usize, kind: &'static str, limit: usize },
    #[error("The resource you requested does not exist.")]
    NoSuchMapping,
    /// What was asked: `update`, `delete`.
    #[error("Cannot {0} the event source mapping because it is in use.")]
    MappingInUse(&'static str),

    // settings, policies, code signing, runtime management
    #[error("{0} is not supported for SnapStart enabled functions.")]
    NotForSnapStart(String),
    #[error(
        "Lambda is initializing your function. It will be ready to invoke once your function state \
         becomes ACTIVE."
    )]
    SnapStartNotReady,
    #[error(
        "The afterRestore() runtime hook encountered an error. For more information, check the \
         Amazon CloudWatch logs."
    )]
    SnapStart,
    #[error("Lambda couldn't restore the snapshot within the timeout limit.")]
    SnapStartTimeout,
    #[error(
        "The operation cannot be performed at this time. The function is currently in the \
         following state: Failed"
    )]
    VersionFailed,
    #[error(
        "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your \
         request and try again."
    )]
    TenantMissing,
    #[error(
        "The invoked function is not enabled with tenancy configuration. Remove the tenant ID from \
         your request and try again."
    )]
    TenantUnexpected,
    #[error("{0} is not supported for functions with tenant isolation mode.")]
    NotForTenants(&'static str),
    #[error("MasterRegion can only be specified with FunctionVersion ALL.")]
    MasterRegionAlone,
    #[error("No policy found for: {0}")]
    NoPolicyFor(String),
    #[error("The policy is not valid: {0}.")]
    MalformedPolicy(String),
    #[error(
        "The resource-based policy you tried to add to the Lambda resource would grant public access \
         to it, which isn't allowed."
    )]
    PublicPolicy,
    #[error("The Lambda code signing configuration {0} can not be found.")]
    NoSuchSigningConfig(String),
    #[error(
        "The code signing configuration cannot be found. Check that the provided configuration is \
         not deleted: {0}."
    )]
    SigningConfigGone(String),
    #[error("The code signing configuration {0} is used by functions. Remove it from them first.")]
    SigningConfigInUse(String),
    #[error(
        "Lambda cannot deploy the function. The function or layer might be signed using a signature \
         that the client is not configured to accept. Check the provided signature for {0}."
    )]
    CodeNotVerified(String),
    #[error("RuntimeVersionArn is required when UpdateRuntimeOn is Manual.")]
    RuntimeVersionNeeded,
    #[error("RuntimeVersionArn can only be specified when UpdateRuntimeOn is Manual.")]
    RuntimeVersionNotManual,
    #[error("Runtime version {given} is not available. This machine has {present}.")]
    NoSuchRuntimeVersion { given: String, present: String },
    #[error("MinExecutionEnvironments must not be greater than MaxExecutionEnvironments.")]
    ScalingBounds,
    #[error("An error occurred and the request cannot be processed.")]
    NoTags,
    #[error("aws: prefixed tag key names are not allowed for external use.")]
    ReservedTag,

    // layers and hot reload
    /// For those who ask for it by its number.
    #[error("Layer version {0} does not exist.")]
    NoSuchLayerVersion(String),
    /// For functions that would use it.
    #[error("Layer version {0} does not exist.")]
    NoSuchLayerForFunction(String),
    #[error("Layer Version Cannot be less than 1")]
    LayerVersionBelowOne,
    #[error("Cannot reference more than {most} layers.", most = limits::LAYERS)]
    TooManyLayers,
    #[error(
        "Two different versions of the same layer are not allowed to be referenced in the same \
         function. {first} and {second} are versions of the same layer."
    )]
    TwoVersionsOfLayer { first: String, second: String },
    #[error(
        "Layers are not in the same region as the function. Layers are expected to be in region {0}."
    )]
    LayersElsewhere(Region),
    #[error(
        "User: {caller} is not authorized to perform: lambda:GetLayerVersion on resource: {layer} \
         because no resource-based policy allows the lambda:GetLayerVersion action"
    )]
    LayerForbidden { caller: String, layer: String },
    #[error(
        "The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy \
         API to retrieve the latest Revision Id"
    )]
    LayerPolicyRevisionDiffers,
    #[error(
        "Function code combined with layers exceeds the maximum allowed size of {most} bytes. The \
         actual size is {0} bytes.",
        most = limits::UNZIPPED_BYTES
    )]
    CodeAndLayersTooLarge(u64),
    #[error(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: \
         Member must satisfy enum value set: [{}]",
        runtimes::all()
    )]
    UnknownCompatibleRuntime { value: String, member: &'static str },
    #[error(
        "Hot reload is off: it needs --hot-reload where --auth is enforce, and is for clients on \
         this machine, not for functions."
    )]
    HotReloadOff,
    #[error("The S3Key of hot reload must be the absolute path of a folder; {0} is none.")]
    NotAFolder(String),

    #[error("The request has failed due to a temporary failure of the server.")]
    DiskFull,
    /// A file, a row or a thread failed. The cause goes to the log.
    #[error("{step} failed: {cause}")]
    Storage { step: &'static str, cause: String },
}

impl Error {
    /// Names the step that failed, for causes that only the log may know.
    pub(crate) fn at<E: std::fmt::Display>(step: &'static str) -> impl FnOnce(E) -> Error {
        move |cause| Error::Storage { step, cause: cause.to_string() }
    }

    /// Another account's layer that a caller may not use, or that is not there.
    pub(crate) fn layer_forbidden(caller: &Caller, name: &LayerVersionName) -> Error {
        let caller = caller.principal.arn.to_string();
        Error::LayerForbidden { caller, layer: name.arn() }
    }

    /// The error shape's name in the model.
    fn code(&self) -> &'static str {
        use Error as E;
        match self {
            E::NoSuchFunction(_)
            | E::NoSuchAlias(_)
            | E::NoSuchResource
            | E::NoPolicy
            | E::NoSuchStatement(_)
            | E::OtherRegion { .. }
            | E::NoFunctionForEvents
            | E::NoFunctionForUrl
            | E::NoEventPolicy(_)
            | E::NoSuchMapping
            | E::NoPolicyFor(_)
            | E::NoSuchSigningConfig(_)
            | E::NoSuchLayerVersion(_) => "ResourceNotFoundException",
            E::FunctionExists(_)
            | E::AliasExists(_)
            | E::StatementExists(_)
            | E::UpdateInProgress(_)
            | E::VersionFailed
            | E::VersionInUse(_)
            | E::SigningConfigInUse(_)
            | E::VersionOfAliasProvisioned
            | E::AliasOfVersionProvisioned
            | E::QueueMappingExists { .. }
            | E::StreamMappingExists { .. }
            | E::UrlExists(_) => "ResourceConflictException",
            E::NotProvisioned => "ProvisionedConcurrencyConfigNotFoundException",
            E::SnapStartNotReady => "SnapStartNotReadyException",
            E::SnapStart => "SnapStartException",
            E::SnapStartTimeout => "SnapStartTimeoutException",
            E::RecursiveInvocation => "RecursiveInvocationException",
            E::RevisionDiffers | E::LayerPolicyRevisionDiffers => "PreconditionFailedException",
            E::InvalidFunctionName(_)
            | E::TooGreat { .. }
            | E::WeightOutOfRange { .. }
            | E::UnknownCompatibleRuntime { .. } => "ValidationException",
            E::AccessDenied(_)
            | E::OtherAccount { .. }
            | E::LayerForbidden { .. }
            | E::HotReloadOff => "AccessDeniedException",
            E::PublicPolicy => "PublicPolicyException",
            E::SigningConfigGone(_) => "CodeSigningConfigNotFoundException",
            E::CodeNotVerified(_) => "CodeVerificationFailedException",
            E::PolicyTooLong(_) => "PolicyLengthExceededException",
            E::ZippedTooLarge => "RequestEntityTooLargeException",
            E::NotBuilt(_) => "NotImplemented",
            E::Throttled(_) | E::ServerBusy(_) => "TooManyRequestsException",
            E::InvalidRuntime(_) => "InvalidRuntimeException",
            E::InvalidRequestContent(_) => "InvalidRequestContentException",
            E::PayloadTooLarge { .. } => "RequestTooLargeException",
            E::MappingInUse(_) => "ResourceInUseException",
            E::Stopping | E::Service(_) | E::DiskFull | E::Storage { .. } => "ServiceException",
            _ => "InvalidParameterValueException",
        }
    }
}

impl ServiceError for Error {
    fn fault(&self) -> Fault {
        let fault = Fault::new(self.code(), self.to_string());
        match self {
            Error::Storage { .. } => Fault::internal(self),
            Error::DiskFull => fault.with_status(503),
            Error::AccessDenied(_)
            | Error::OtherAccount { .. }
            | Error::LayerForbidden { .. }
            | Error::HotReloadOff => fault.with_status(403),
            Error::ZippedTooLarge => fault.with_status(413).with_member("Type", "User"),
            Error::NotBuilt(_) => fault.with_status(501),
            Error::Throttled(throttled) => {
                // AWS names no time either; a second is what its own clients wait at first.
                fault.with_member("Reason", throttled.reason()).with_header("Retry-After", "1")
            }
            Error::ServerBusy(_) => fault
                .with_member("Reason", Throttled::Account.reason())
                .with_header("Retry-After", "1"),
            _ => fault,
        }
    }
}

impl From<CommitError> for Error {
    fn from(error: CommitError) -> Error {
        match error {
            CommitError::DiskFull => Error::DiskFull,
            _ => Error::at("the commit")(error),
        }
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Error {
        Error::at("a read")(error)
    }
}

impl From<BlobError> for Error {
    fn from(error: BlobError) -> Error {
        match error {
            BlobError::DiskFull => Error::DiskFull,
            BlobError::Io { step, ref source } => Error::at(step)(source),
        }
    }
}
