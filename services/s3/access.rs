//! What each operation needs permission for: IAM's actions and resources, by the service
//! authorization reference of S3.

use kit::Arn;

/// An action on resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// `s3:GetObject`.
    pub action: &'static str,
    /// What it acts on; empty stands for `*`.
    pub resource: Option<Arn>,
}

/// What a request names.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// The bucket, or an empty text.
    pub bucket: &'a str,
    /// The key, or an empty text.
    pub key: &'a str,
    /// It names a version (`versionId`).
    pub names_version: bool,
    /// The bucket, key and named version of `x-amz-copy-source`.
    pub source: Option<(&'a str, &'a str, bool)>,
}

/// The permissions that an operation needs, all of them; `None` if it is not one of S3's.
pub fn permissions(operation: &str, subject: Subject<'_>) -> Option<Vec<Permission>> {
    let named = |plain, of_version| if subject.names_version { of_version } else { plain };
    let action = match operation {
        "GetObject" | "HeadObject" => named("s3:GetObject", "s3:GetObjectVersion"),
        "GetObjectAcl" => named("s3:GetObjectAcl", "s3:GetObjectVersionAcl"),
        "GetObjectTagging" => named("s3:GetObjectTagging", "s3:GetObjectVersionTagging"),
        "PutObjectAcl" => named("s3:PutObjectAcl", "s3:PutObjectVersionAcl"),
        "PutObjectTagging" => named("s3:PutObjectTagging", "s3:PutObjectVersionTagging"),
        "DeleteObject" => named("s3:DeleteObject", "s3:DeleteObjectVersion"),
        "DeleteObjectTagging" => named("s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"),
        // It asks for keys in its body; each is judged by itself as DeleteObject.
        "DeleteObjects" => return Some(Vec::new()),
        "GetObjectAttributes" => return Some(attributes(subject)),
        "CopyObject" | "UploadPartCopy" => return Some(copy(subject)),
        other => of_table(other)?,
    };
    Some(vec![Permission { action, resource: subject.resource() }])
}

impl Subject<'_> {
    /// The object, or the bucket.
    pub(crate) fn resource(&self) -> Option<Arn> {
        arn(self.bucket, self.key)
    }
}

fn arn(bucket: &str, key: &str) -> Option<Arn> {
    match (bucket, key) {
        ("", _) => None,
        (bucket, "") => Some(Arn::new("s3", "", "", bucket)),
        (bucket, key) => Some(Arn::new("s3", "", "", format_args!("{bucket}/{key}"))),
    }
}

fn attributes(subject: Subject<'_>) -> Vec<Permission> {
    let actions = match subject.names_version {
        true => ["s3:GetObjectVersion", "s3:GetObjectVersionAttributes"],
        false => ["s3:GetObject", "s3:GetObjectAttributes"],
    };
    actions.map(|action| Permission { action, resource: subject.resource() }).to_vec()
}

fn copy(subject: Subject<'_>) -> Vec<Permission> {
    let mut needed = vec![Permission { action: "s3:PutObject", resource: subject.resource() }];
    if let Some((bucket, key, names_version)) = subject.source {
        let action = if names_version { "s3:GetObjectVersion" } else { "s3:GetObject" };
        needed.push(Permission { action, resource: arn(bucket, key) });
    }
    needed
}

/// Operations of one action, whatever the request says.
const TABLE: [(&str, &str); 79] = [
    ("AbortMultipartUpload", "s3:AbortMultipartUpload"),
    ("CompleteMultipartUpload", "s3:PutObject"),
    ("CreateBucket", "s3:CreateBucket"),
    ("CreateMultipartUpload", "s3:PutObject"),
    ("DeleteBucket", "s3:DeleteBucket"),
    ("DeleteBucketAnalyticsConfiguration", "s3:PutAnalyticsConfiguration"),
    ("DeleteBucketCors", "s3:PutBucketCORS"),
    ("DeleteBucketEncryption", "s3:PutEncryptionConfiguration"),
    ("DeleteBucketIntelligentTieringConfiguration", "s3:PutIntelligentTieringConfiguration"),
    ("DeleteBucketInventoryConfiguration", "s3:PutInventoryConfiguration"),
    ("DeleteBucketLifecycle", "s3:PutLifecycleConfiguration"),
    ("DeleteBucketMetricsConfiguration", "s3:PutMetricsConfiguration"),
    ("DeleteBucketOwnershipControls", "s3:PutBucketOwnershipControls"),
    ("DeleteBucketPolicy", "s3:DeleteBucketPolicy"),
    ("DeleteBucketReplication", "s3:PutReplicationConfiguration"),
    ("DeleteBucketTagging", "s3:PutBucketTagging"),
    ("DeleteBucketWebsite", "s3:DeleteBucketWebsite"),
    ("DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
    ("GetBucketAccelerateConfiguration", "s3:GetAccelerateConfiguration"),
    ("GetBucketAcl", "s3:GetBucketAcl"),
    ("GetBucketAnalyticsConfiguration", "s3:GetAnalyticsConfiguration"),
    ("GetBucketCors", "s3:GetBucketCORS"),
    ("GetBucketEncryption", "s3:GetEncryptionConfiguration"),
    ("GetBucketIntelligentTieringConfiguration", "s3:GetIntelligentTieringConfiguration"),
    ("GetBucketInventoryConfiguration", "s3:GetInventoryConfiguration"),
    ("GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration"),
    ("GetBucketLocation", "s3:GetBucketLocation"),
    ("GetBucketLogging", "s3:GetBucketLogging"),
    ("GetBucketMetricsConfiguration", "s3:GetMetricsConfiguration"),
    ("GetBucketNotificationConfiguration", "s3:GetBucketNotification"),
    ("GetBucketOwnershipControls", "s3:GetBucketOwnershipControls"),
    ("GetBucketPolicy", "s3:GetBucketPolicy"),
    ("GetBucketPolicyStatus", "s3:GetBucketPolicyStatus"),
    ("GetBucketReplication", "s3:GetReplicationConfiguration"),
    ("GetBucketRequestPayment", "s3:GetBucketRequestPayment"),
    ("GetBucketTagging", "s3:GetBucketTagging"),
    ("GetBucketVersioning", "s3:GetBucketVersioning"),
    ("GetBucketWebsite", "s3:GetBucketWebsite"),
    ("GetObjectLegalHold", "s3:GetObjectLegalHold"),
    ("GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration"),
    ("GetObjectRetention", "s3:GetObjectRetention"),
    ("GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock"),
    ("HeadBucket", "s3:ListBucket"),
    ("ListBucketAnalyticsConfigurations", "s3:GetAnalyticsConfiguration"),
    ("ListBucketIntelligentTieringConfigurations", "s3:GetIntelligentTieringConfiguration"),
    ("ListBucketInventoryConfigurations", "s3:GetInventoryConfiguration"),
    ("ListBucketMetricsConfigurations", "s3:GetMetricsConfiguration"),
    ("ListBuckets", "s3:ListAllMyBuckets"),
    ("ListMultipartUploads", "s3:ListBucketMultipartUploads"),
    ("ListObjectVersions", "s3:ListBucketVersions"),
    ("ListObjects", "s3:ListBucket"),
    ("ListObjectsV2", "s3:ListBucket"),
    ("ListParts", "s3:ListMultipartUploadParts"),
    ("PostObject", "s3:PutObject"),
    ("PutBucketAccelerateConfiguration", "s3:PutAccelerateConfiguration"),
    ("PutBucketAcl", "s3:PutBucketAcl"),
    ("PutBucketAnalyticsConfiguration", "s3:PutAnalyticsConfiguration"),
    ("PutBucketCors", "s3:PutBucketCORS"),
    ("PutBucketEncryption", "s3:PutEncryptionConfiguration"),
    ("PutBucketIntelligentTieringConfiguration", "s3:PutIntelligentTieringConfiguration"),
    ("PutBucketInventoryConfiguration", "s3:PutInventoryConfiguration"),
    ("PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
    ("PutBucketLogging", "s3:PutBucketLogging"),
    ("PutBucketMetricsConfiguration", "s3:PutMetricsConfiguration"),
    ("PutBucketNotificationConfiguration", "s3:PutBucketNotification"),
    ("PutBucketOwnershipControls", "s3:PutBucketOwnershipControls"),
    ("PutBucketPolicy", "s3:PutBucketPolicy"),
    ("PutBucketReplication", "s3:PutReplicationConfiguration"),
    ("PutBucketRequestPayment", "s3:PutBucketRequestPayment"),
    ("PutBucketTagging", "s3:PutBucketTagging"),
    ("PutBucketVersioning", "s3:PutBucketVersioning"),
    ("PutBucketWebsite", "s3:PutBucketWebsite"),
    ("PutObject", "s3:PutObject"),
    ("PutObjectLegalHold", "s3:PutObjectLegalHold"),
    ("PutObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration"),
    ("PutObjectRetention", "s3:PutObjectRetention"),
    ("PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
    ("RestoreObject", "s3:RestoreObject"),
    ("UploadPart", "s3:PutObject"),
];

fn of_table(operation: &str) -> Option<&'static str> {
    let at = TABLE.binary_search_by_key(&operation, |(name, _)| name).ok()?;
    Some(TABLE[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed(operation: &str, subject: Subject<'_>) -> Vec<String> {
        let shown = |needed: Permission| {
            format!("{} {}", needed.action, needed.resource.map_or("*".into(), |r| r.to_string()))
        };
        permissions(operation, subject).unwrap().into_iter().map(shown).collect()
    }

    #[test]
    fn a_version_needs_a_permission_of_its_own() {
        let object = Subject { bucket: "b", key: "k/l", ..Subject::default() };
        let version = Subject { names_version: true, ..object };
        assert_eq!(needed("GetObject", object), ["s3:GetObject arn:aws:s3:::b/k/l"]);
        assert_eq!(needed("HeadObject", version), ["s3:GetObjectVersion arn:aws:s3:::b/k/l"]);
        assert_eq!(needed("DeleteObject", version), ["s3:DeleteObjectVersion arn:aws:s3:::b/k/l"]);
        assert_eq!(
            needed("GetObjectAttributes", object),
            ["s3:GetObject arn:aws:s3:::b/k/l", "s3:GetObjectAttributes arn:aws:s3:::b/k/l"]
        );
    }

    #[test]
    fn a_copy_reads_its_source() {
        let source = Some(("from", "a", true));
        let subject = Subject { bucket: "b", key: "k", source, ..Subject::default() };
        assert_eq!(
            needed("CopyObject", subject),
            ["s3:PutObject arn:aws:s3:::b/k", "s3:GetObjectVersion arn:aws:s3:::from/a"]
        );
    }

    #[test]
    fn every_other_operation_has_one_action() {
        assert!(TABLE.is_sorted_by_key(|(name, _)| *name));
        let bucket = Subject { bucket: "b", ..Subject::default() };
        assert_eq!(needed("ListObjectsV2", bucket), ["s3:ListBucket arn:aws:s3:::b"]);
        assert_eq!(needed("ListBuckets", Subject::default()), ["s3:ListAllMyBuckets *"]);
        assert_eq!(permissions("Nothing", bucket), None);
    }
}
