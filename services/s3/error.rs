//! Every error of S3: variant → code, status, text, and the elements that S3 adds to the document.

use wire::{Fault, ServiceError};

/// The code is the variant's name, or the one behind `as`.
macro_rules! code {
    ($variant:ident) => {
        stringify!($variant)
    };
    ($variant:ident $shown:ident) => {
        stringify!($shown)
    };
}

/// One line per error: code, status, text, fields. A field is an element of the error document
/// under the name behind `=>`, or a header where that name is in lower case; without one it only fills
/// the text.
macro_rules! errors {
    ($($code:ident $(as $shown:ident)? $status:literal $text:literal { $($field:ident $(=> $element:literal)?),* })*) => {
        /// What goes wrong. The variant's name is S3's code.
        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
        #[allow(missing_docs)] // S3's own words.
        pub enum Error {
            $(#[error($text)] $code { $($field: String),* },)*
        }

        impl Error {
            /// S3's code.
            pub fn code(&self) -> &'static str {
                match self { $(Error::$code { .. } => code!($code $($shown)?),)* }
            }

            /// The HTTP status.
            pub fn status(&self) -> u16 {
                match self { $(Error::$code { .. } => $status,)* }
            }

            fn elements(&self) -> Vec<(&'static str, String)> {
                match self {
                    $(Error::$code { $($field),* } => {
                        // Fields without an element are part of the text only.
                        $(let _ = $field;)*
                        vec![$($(($element, $field.clone()),)?)*]
                    })*
                }
            }
        }
    };
}

errors! {
    AccessDenied 403 "{message}" { message }
    AccessForbidden 403 "{message}" { message, method => "Method" }
    BadDigest 400 "{message}" { message, expected => "ExpectedDigest", calculated => "CalculatedDigest" }
    BadRequest 400 "{message}" { message }
    BucketAlreadyExists 409 "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again." { bucket => "BucketName" }
    BucketAlreadyOwnedByYou 409 "Your previous request to create the named bucket succeeded and you already own it." { bucket => "BucketName" }
    BucketNotEmpty 409 "{message}" { message, bucket => "BucketName" }
    EntityTooLarge 400 "Your proposed upload exceeds the maximum allowed size" { proposed => "ProposedSize", maximum => "MaxSizeAllowed" }
    EntityTooSmall 400 "Your proposed upload is smaller than the minimum allowed size" { proposed => "ProposedSize", minimum => "MinSizeAllowed", part => "PartNumber", etag => "ETag" }
    IllegalLocationConstraintException 400 "The {constraint} location constraint is incompatible for the region specific endpoint this request was sent to." { constraint }
    IllegalVersioningConfigurationException 400 "{message}" { message }
    IncompleteBody 400 "The request body terminated unexpectedly" {}
    InternalError 500 "We encountered an internal error. Please try again." {}
    InvalidAccessKeyId 403 "The AWS Access Key Id you provided does not exist in our records." { access_key => "AWSAccessKeyId" }
    InvalidArgument 400 "{message}" { message, name => "ArgumentName", value => "ArgumentValue" }
    InvalidBucketAclWithObjectOwnership 400 "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting" {}
    AccessControlListNotSupported 400 "The bucket does not allow ACLs" {}
    InvalidBucketName 400 "The specified bucket is not valid." { bucket => "BucketName" }
    InvalidBucketState 409 "{message}" { message }
    InvalidDigest 400 "The Content-MD5 you specified was invalid." { digest => "Content-MD5" }
    InvalidLocationConstraint 400 "The specified location-constraint is not valid" { constraint => "LocationConstraint" }
    InvalidObjectState 403 "{message}" { message }
    InvalidPart 400 "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag." { upload => "UploadId", part => "PartNumber", etag => "ETag" }
    InvalidPartNumber 416 "The requested partnumber is not satisfiable" { requested => "PartNumberRequested", actual => "ActualPartCount" }
    InvalidPartOrder 400 "The list of parts was not in ascending order. Parts must be ordered by part number." { upload => "UploadId" }
    InvalidPolicyDocument 400 "{message}" { message }
    InvalidRange 416 "The requested range is not satisfiable" { requested => "RangeRequested", actual => "ActualObjectSize", range => "content-range" }
    InvalidRequest 400 "{message}" { message }
    InvalidStorageClass 400 "The storage class you specified is not valid" { class => "StorageClassRequested" }
    InvalidTag 400 "{message}" { message, key => "TagKey" }
    InvalidTargetBucketForLogging 400 "The target bucket for logging does not exist" { bucket => "TargetBucket" }
    KeyTooLongError 400 "Your key is too long" { size => "Size", maximum => "MaxSizeAllowed" }
    MalformedPolicy 400 "{message}" { message }
    MalformedPOSTRequest 400 "{message}" { message }
    MalformedXML 400 "The XML you provided was not well-formed or did not validate against our published schema" {}
    MetadataTooLarge 400 "Your metadata headers exceed the maximum allowed metadata size" { size => "Size", maximum => "MaxSizeAllowed" }
    MalformedTrailerError 400 "The request contained trailing data that was not well-formed or did not conform to our published schema." {}
    MethodNotAllowed 405 "The specified method is not allowed against this resource." { method => "Method", resource => "ResourceType", allow => "allow", delete_marker => "x-amz-delete-marker", version => "x-amz-version-id" }
    MissingContentLength 411 "You must provide the Content-Length HTTP header." {}
    NoSuchBucket 404 "The specified bucket does not exist" { bucket => "BucketName" }
    NoSuchBucketPolicy 404 "The bucket policy does not exist" { bucket => "BucketName" }
    NoSuchConfiguration 404 "The specified configuration does not exist." { bucket => "BucketName" }
    NoSuchCORSConfiguration 404 "The CORS configuration does not exist" { bucket => "BucketName" }
    NoSuchKey 404 "The specified key does not exist." { key => "Key", delete_marker => "x-amz-delete-marker", version => "x-amz-version-id" }
    NoSuchLifecycleConfiguration 404 "The lifecycle configuration does not exist" { bucket => "BucketName" }
    NoSuchObjectLockConfiguration 404 "The specified object does not have a ObjectLock configuration" { key => "Key" }
    NoSuchPublicAccessBlockConfiguration 404 "The public access block configuration was not found" { bucket => "BucketName" }
    NoSuchTagSet 404 "The TagSet does not exist" { bucket => "BucketName" }
    NoSuchUpload 404 "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed." { upload => "UploadId" }
    NoSuchVersion 404 "The specified version does not exist." { key => "Key", version => "VersionId" }
    NoSuchWebsiteConfiguration 404 "The specified bucket does not have a website configuration" { bucket => "BucketName" }
    NotImplemented 501 "{message}" { message }
    NotModified 304 "Not Modified" { etag => "etag", modified => "last-modified" }
    ObjectLockConfigurationNotFoundError 404 "Object Lock configuration does not exist for this bucket" { bucket => "BucketName" }
    OperationAborted 409 "A conflicting conditional operation is currently in progress against this resource. Please try again." {}
    OwnershipControlsNotFoundError 404 "The bucket ownership controls were not found" { bucket => "BucketName" }
    PreconditionFailed 412 "At least one of the pre-conditions you specified did not hold" { condition => "Condition" }
    ReplicationConfigurationNotFoundError 404 "The replication configuration was not found" { bucket => "BucketName" }
    RequestTimeTooSkewed 403 "The difference between the request time and the current time is too large." {}
    SignatureDoesNotMatch 403 "The request signature we calculated does not match the signature you provided. Check your key and signing method." {}
    ServiceUnavailable 503 "{message}" { message }
    StorageFull 507 "There is no room left on the disk." {}
    TooManyBuckets 400 "You have attempted to create more buckets than allowed" {}
    TooManyConfigurations 400 "You are attempting to create a new configuration but have already reached the 1,000-configuration limit." {}
    UnableToValidate as InvalidArgument 400 "Unable to validate the following destination configurations" { arn => "ArgumentName1", reason => "ArgumentValue1" }
    XAmzContentSHA256Mismatch 400 "The provided 'x-amz-content-sha256' header does not match what was computed." { client => "ClientComputedContentSHA256", computed => "S3ComputedContentSHA256" }
}

impl Error {
    /// A header or parameter with a wrong value.
    pub(crate) fn argument(message: &str, name: &str, value: impl ToString) -> Error {
        Error::InvalidArgument {
            message: message.to_owned(),
            name: name.to_owned(),
            value: value.to_string(),
        }
    }

    /// A request that contradicts itself.
    pub(crate) fn request(message: impl Into<String>) -> Error {
        Error::InvalidRequest { message: message.into() }
    }

    /// A key that has no current version.
    pub(crate) fn no_such_key(key: &str) -> Error {
        let (delete_marker, version) = (String::new(), String::new());
        Error::NoSuchKey { key: key.to_owned(), delete_marker, version }
    }

    /// A key whose current version is a delete marker.
    pub(crate) fn deleted_key(key: &str, version: &str) -> Error {
        Error::NoSuchKey {
            key: key.to_owned(),
            delete_marker: "true".to_owned(),
            version: version.to_owned(),
        }
    }

    /// `AccessDenied` with S3's usual text.
    pub(crate) fn denied() -> Error {
        Error::AccessDenied { message: "Access Denied".to_owned() }
    }

    /// A checksum that does not fit: `what` is the algorithm's name.
    pub(crate) fn checksum(what: &str) -> Error {
        Error::BadDigest {
            message: format!("The {what} you specified did not match the calculated checksum."),
            expected: String::new(),
            calculated: String::new(),
        }
    }

    /// A fault of ours. The cause goes to the log, not to the client.
    pub(crate) fn internal(cause: &dyn std::fmt::Display) -> Error {
        tracing::error!(%cause, "internal failure");
        Error::InternalError {}
    }
}

impl ServiceError for Error {
    fn fault(&self) -> Fault {
        let mut fault = Fault::new(self.code(), self.to_string()).with_status(self.status());
        let present = self.elements().into_iter().filter(|(_, value)| !value.is_empty());
        (fault.headers, fault.members) =
            present.partition(|(name, _)| name.starts_with(|c: char| c.is_ascii_lowercase()));
        fault
    }
}

impl From<store::ReadError> for Error {
    fn from(error: store::ReadError) -> Error {
        Error::internal(&error)
    }
}

impl From<store::CommitError> for Error {
    fn from(error: store::CommitError) -> Error {
        match error {
            store::CommitError::Conflict(_) => Error::OperationAborted {},
            store::CommitError::DiskFull => Error::StorageFull {},
            store::CommitError::Stopped(_) => Error::internal(&error),
        }
    }
}

impl From<store::BlobError> for Error {
    fn from(error: store::BlobError) -> Error {
        match error {
            store::BlobError::DiskFull => Error::StorageFull {},
            store::BlobError::Io { .. } => Error::internal(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_thing_it_is_about() {
        let fault = Error::no_such_key("a/b").fault();
        assert_eq!((fault.code.as_ref(), fault.status), ("NoSuchKey", Some(404)));
        assert_eq!(fault.message, "The specified key does not exist.");
        assert_eq!(fault.members, [("Key", "a/b".to_owned())]);
    }

    #[test]
    fn empty_elements_are_left_out() {
        assert!(Error::checksum("CRC32").fault().members.is_empty());
    }
}
