//! Bucket configurations that are there or not: CORS, encryption, ownership,
//! public access block, replication, website; and the deletion of all of this kind. Replication and
//! websites are stored only. `lifecycle` and `policy` are beside it.

use std::sync::Arc;

use s3s::{
    dto,
    xml::{DeserializeContent, SerializeContent},
};

use crate::{
    Error, S3,
    bucket::Versioning,
    cors,
    document::{self, kind},
    http::Call,
};

pub(super) type Done<T> = Result<T, Error>;

/// What all operations here name of a bucket.
pub(super) type Owner<'a> = Option<&'a str>;

impl S3 {
    async fn store_document(
        &self,
        bucket: &str,
        owner: Owner<'_>,
        kind: &str,
        document: &impl SerializeContent,
    ) -> Done<()> {
        let text = document::write(document);
        self.store_text(bucket, owner, kind, &text).await
    }

    async fn store_text(&self, bucket: &str, owner: Owner<'_>, kind: &str, text: &str) -> Done<()> {
        let change = self.buckets.change(bucket, owner, |row| {
            row.documents.insert(kind.to_owned(), text.to_owned());
            Ok(())
        });
        change.await
    }

    async fn remove_document(&self, bucket: &str, owner: Owner<'_>, kind: &str) -> Done<()> {
        let change = self.buckets.change(bucket, owner, |row| {
            row.documents.remove(kind);
            Ok(())
        });
        change.await
    }

    /// A stored configuration, or the error that says there is none.
    pub(super) fn document<T: for<'xml> DeserializeContent<'xml>>(
        &self,
        bucket: &str,
        owner: Owner<'_>,
        kind: &str,
        missing: fn(String) -> Error,
    ) -> Done<T> {
        let found = self.buckets.find(bucket, owner)?.row.document(kind)?;
        found.ok_or_else(|| missing(bucket.to_owned()))
    }
}

/// GetBucketCors.
pub(crate) async fn get_cors(
    s3: Arc<S3>,
    _call: Call,
    input: dto::GetBucketCorsInput,
) -> Done<dto::GetBucketCorsOutput> {
    let owner = input.expected_bucket_owner.as_deref();
    let missing = |bucket| Error::NoSuchCORSConfiguration { bucket };
    let found: dto::CORSConfiguration = s3.document(&input.bucket, owner, kind::CORS, missing)?;
    Ok(dto::GetBucketCorsOutput { cors_rules: Some(found.cors_rules) })
}

/// PutBucketCors.
pub(crate) async fn put_cors(
    s3: Arc<S3>,
    _call: Call,
    input: dto::PutBucketCorsInput,
) -> Done<dto::PutBucketCorsOutput> {
    cors::check(&input.cors_configuration.cors_rules)?;
    let owner = input.expected_bucket_owner.as_deref();
    s3.store_document(&input.bucket, owner, kind::CORS, &input.cors_configuration).await?;
    Ok(dto::PutBucketCorsOutput {})
}

/// GetBucketEncryption. Every bucket has one.
pub(crate) async fn get_encryption(
    s3: Arc<S3>,
    _call: Call,
    input: dto::GetBucketEncryptionInput,
) -> Done<dto::GetBucketEncryptionOutput> {
    let bucket = s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let default = || dto::ServerSideEncryptionConfiguration {
        rules: vec![dto::ServerSideEncryptionRule {
            apply_server_side_encryption_by_default: Some(dto::ServerSideEncryptionByDefault {
                kms_master_key_id: None,
                sse_algorithm: "AES256".to_owned().into(),
            }),
            bucket_key_enabled: Some(false),
        }],
    };
    let found = bucket.row.document(kind::ENCRYPTION)?.unwrap_or_else(default);
    Ok(dto::GetBucketEncryptionOutput { server_side_encryption_configuration: Some(found) })
}

/// PutBucketEncryption.
pub(crate) async fn put_encryption(
    s3: Arc<S3>,
    _call: Call,
    input: dto::PutBucketEncryptionInput,
) -> Done<dto::PutBucketEncryptionOutput> {
    let mut document = input.server_side_encryption_configuration;
    let [rule] = document.rules.as_mut_slice() else { return Err(Error::MalformedXML {}) };
    let default = rule.apply_server_side_encryption_by_default.as_ref();
    let algorithm = default.map(|default| default.sse_algorithm.as_str()).unwrap_or_default();
    if !["AES256", "aws:kms", "aws:kms:dsse"].contains(&algorithm) {
        return Err(Error::MalformedXML {});
    }
    if algorithm == "AES256" && default.is_some_and(|default| default.kms_master_key_id.is_some()) {
        return Err(Error::argument(
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or \
             aws:kms:dsse",
            "ApplyServerSideEncryptionByDefault",
            "",
        ));
    }
    rule.bucket_key_enabled.get_or_insert(false);
    let owner = input.expected_bucket_owner.as_deref();
    s3.store_document(&input.bucket, owner, kind::ENCRYPTION, &document).await?;
    Ok(dto::PutBucketEncryptionOutput {})
}

/// GetBucketOwnershipControls.
pub(crate) async fn get_ownership(
    s3: Arc<S3>,
    _call: Call,
    input: dto::GetBucketOwnershipControlsInput,
) -> Done<dto::GetBucketOwnershipControlsOutput> {
    let owner = input.expected_bucket_owner.as_deref();
    let missing = |bucket| Error::OwnershipControlsNotFoundError { bucket };
    let found = s3.document(&input.bucket, owner, kind::OWNERSHIP, missing)?;
    Ok(dto::GetBucketOwnershipControlsOutput { ownership_controls: Some(found) })
}

/// PutBucketOwnershipControls.
pub(crate) async fn put_ownership(
    s3: Arc<S3>,
    _call: Call,
    input: dto::PutBucketOwnershipControlsInput,
) -> Done<dto::PutBucketOwnershipControlsOutput> {
    let [rule] = input.ownership_controls.rules.as_slice() else {
        return Err(Error::MalformedXML {});
    };
    let ownership = rule.object_ownership.as_str();
    let owner = input.expected_bucket_owner.as_deref();
    let change = s3.buckets.change(&input.bucket, owner, |row| {
        row.set_ownership(ownership).map_err(|_| Error::MalformedXML {})?;
        if row.acls_are_disabled() && row.acl.is_some() {
            return Err(Error::InvalidBucketAclWithObjectOwnership {});
        }
        Ok(())
    });
    change.await?;
    Ok(dto::PutBucketOwnershipControlsOutput {})
}

/// GetPublicAccessBlock.
pub(crate) async fn get_public_access_block(
    s3: Arc<S3>,
    _call: Call,
    input: dto::GetPublicAccessBlockInput,
) -> Done<dto::GetPublicAccessBlockOutput> {
    let owner = input.expected_bucket_owner.as_deref();
    let missing = |bucket| Error::NoSuchPublicAccessBlockConfiguration { bucket };
    let found = s3.document(&input.bucket, owner, kind::PUBLIC_ACCESS_BLOCK, missing)?;
    Ok(dto::GetPublicAccessBlockOutput { public_access_block_configuration: Some(found) })
}

/// PutPublicAccessBlock.
pub(crate) async fn put_public_access_block(
    s3: Arc<S3>,
    _call: Call,
    input: dto::PutPublicAccessBlockInput,
) -> Done<dto::PutPublicAccessBlockOutput> {
    let wanted = input.public_access_block_configuration;
    let or_off = |setting: Option<bool>| Some(setting.unwrap_or(false));
    let document = dto::PublicAccessBlockConfiguration {
        block_public_acls: or_off(wanted.block_public_acls),
        block_public_policy: or_off(wanted.block_public_policy),
        ignore_public_acls: or_off(wanted.ignore_public_acls),
        restrict_public_buckets: or_off(wanted.restrict_public_buckets),
    };
    let owner = input.expected_bucket_owner.as_deref();
    s3.store_document(&input.bucket, owner, kind::PUBLIC_ACCESS_BLOCK, &document).await?;
    Ok(dto::PutPublicAccessBlockOutput {})
}

/// GetBucketReplication.
pub(crate) async fn get_replication(
    s3: Arc<S3>,
    _call: Call,
    input: dto::GetBucketReplicationInput,
) -> Done<dto::GetBucketReplicationOutput> {
    let owner = input.expected_bucket_owner.as_deref();
    let missing = |bucket| Error::ReplicationConfigurationNotFoundError { bucket };
    let found = s3.document(&input.bucket, owner, kind::REPLICATION, missing)?;
    Ok(dto::GetBucketReplicationOutput { replication_configuration: Some(found) })
}

/// PutBucketReplication.
pub(crate) async fn put_replication(
    s3: Arc<S3>,
    _call: Call,
    input: dto::PutBucketReplicationInput,
) -> Done<dto::PutBucketReplicationOutput> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = s3.buckets.find(&input.bucket, owner)?;
    if bucket.row.versioning != Versioning::Enabled {
        return Err(Error::request(
            "Versioning must be 'Enabled' on the bucket to apply a replication configuration",
        ));
    }
    let document = &input.replication_configuration;
    s3.store_document(&input.bucket, owner, kind::REPLICATION, document).await?;
    Ok(dto::PutBucketReplicationOutput {})
}

/// GetBucketWebsite.
pub(crate) async fn get_website(
    s3: Arc<S3>,
    _call: Call,
    input: dto::GetBucketWebsiteInput,
) -> Done<dto::GetBucketWebsiteOutput> {
    let owner = input.expected_bucket_owner.as_deref();
    let missing = |bucket| Error::NoSuchWebsiteConfiguration { bucket };
    let found: dto::WebsiteConfiguration =
        s3.document(&input.bucket, owner, kind::WEBSITE, missing)?;
    Ok(dto::GetBucketWebsiteOutput {
        error_document: found.error_document,
        index_document: found.index_document,
        redirect_all_requests_to: found.redirect_all_requests_to,
        routing_rules: found.routing_rules,
    })
}

/// PutBucketWebsite.
pub(crate) async fn put_website(
    s3: Arc<S3>,
    _call: Call,
    input: dto::PutBucketWebsiteInput,
) -> Done<dto::PutBucketWebsiteOutput> {
    let document = &input.website_configuration;
    if document.redirect_all_requests_to.is_none() && document.index_document.is_none() {
        return Err(Error::argument(
            "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
            "IndexDocument",
            "null",
        ));
    }
    let owner = input.expected_bucket_owner.as_deref();
    s3.store_document(&input.bucket, owner, kind::WEBSITE, document).await?;
    Ok(dto::PutBucketWebsiteOutput {})
}

macro_rules! deletions {
    ($($name:ident $input:ident $output:ident $kind:ident;)*) => {
        $(
            #[doc = concat!("`", stringify!($input), "`: removes a configuration, if there is one.")]
            pub(crate) async fn $name(
                s3: Arc<S3>,
                _call: Call,
                input: dto::$input,
            ) -> Done<dto::$output> {
                let owner = input.expected_bucket_owner.as_deref();
                s3.remove_document(&input.bucket, owner, kind::$kind).await?;
                Ok(dto::$output {})
            }
        )*
    };
}

deletions! {
    delete_cors DeleteBucketCorsInput DeleteBucketCorsOutput CORS;
    delete_encryption DeleteBucketEncryptionInput DeleteBucketEncryptionOutput ENCRYPTION;
    delete_lifecycle DeleteBucketLifecycleInput DeleteBucketLifecycleOutput LIFECYCLE;
    delete_ownership DeleteBucketOwnershipControlsInput DeleteBucketOwnershipControlsOutput OWNERSHIP;
    delete_policy DeleteBucketPolicyInput DeleteBucketPolicyOutput POLICY;
    delete_public_access_block DeletePublicAccessBlockInput DeletePublicAccessBlockOutput PUBLIC_ACCESS_BLOCK;
    delete_replication DeleteBucketReplicationInput DeleteBucketReplicationOutput REPLICATION;
    delete_website DeleteBucketWebsiteInput DeleteBucketWebsiteOutput WEBSITE;
}
