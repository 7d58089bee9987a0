//! The operations that s3s decodes, and what runs for each. Those that are missing here answer
//! `NotImplemented`.

use std::{ops::Deref, sync::Arc};

use kit::Caller;
use percent_encoding::percent_decode_str;
use s3s::{
    S3Error, S3ErrorCode, S3Request, S3Response, S3Result, dto,
    service::{S3Service, S3ServiceBuilder},
    validation::NameValidation,
};

use super::{address::Address, answer::Failure, payload::Trailer, post::Posted};
use crate::{
    Error, S3,
    access::Subject,
    guard::Guard,
    ops::{
        acl, attributes, bucket, configuration, copy, delete, get, identified, lifecycle, list,
        lock, multipart, notification, policy, put, settings, tagging,
    },
    told::{self, Told},
};

/// A request beside its input.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) caller: Caller,
    /// The checksum behind the body.
    pub(crate) trailer: Option<Trailer>,
    /// An upload form.
    pub(crate) is_form: bool,
    /// Who decides about what the input names beyond the request's own bucket and key.
    pub(crate) guard: Guard,
}

impl Deref for Call {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl From<Caller> for Call {
    fn from(caller: Caller) -> Call {
        Call { caller, trailer: None, is_form: false, guard: Guard::default() }
    }
}

/// s3s with our operations behind it.
pub(super) fn service(s3: Arc<S3>) -> S3Service {
    let mut builder = S3ServiceBuilder::new(Operations(s3));
    builder.set_validation(AnyName);
    builder.build()
}

/// Buckets that cannot be are told apart where buckets are found.
struct AnyName;

impl NameValidation for AnyName {
    fn validate_bucket_name(&self, _name: &str) -> bool {
        true
    }
}

struct Operations(Arc<S3>);

async fn answer<I: 'static, O, F>(
    s3: &Arc<S3>,
    operation: &'static str,
    mut request: S3Request<I>,
    run: impl FnOnce(Arc<S3>, Call, I) -> F,
) -> S3Result<S3Response<O>>
where
    F: Future<Output = Result<O, Error>>,
{
    let caller = request.extensions.remove::<Caller>();
    let caller = caller.ok_or_else(|| S3Error::new(S3ErrorCode::InternalError))?;
    let trailer = request.extensions.remove::<Trailer>();
    let is_form = request.extensions.remove::<Posted>().is_some();
    let guard = request.extensions.remove::<Guard>().unwrap_or_default();
    let existing = match asked_object(&guard, &caller, &request) {
        Some(object) => existing_tags(s3, object).await,
        None => Vec::new(),
    };
    let permitted = permit(&guard, &caller, operation, &request, existing);
    let answered = match permitted {
        Ok(()) => run(s3.clone(), Call { caller, trailer, is_form, guard }, request.input).await,
        Err(error) => Err(error),
    };
    answered.map(S3Response::new).map_err(|error| {
        if let Some(failure) = request.extensions.get::<Failure>() {
            failure.note(&error);
        }
        S3Error::new(S3ErrorCode::InternalError)
    })
}

/// The object whose tags policies ask for: its bucket, key and version.
fn asked_object<I>(
    guard: &Guard,
    caller: &Caller,
    request: &S3Request<I>,
) -> Option<(String, String, Option<String>)> {
    let Address { bucket, key, .. } = Address::parse("", request.uri.path(), &[]);
    let subject = Subject { bucket: &bucket, key: &key, ..Subject::default() };
    if !guard.asks_for(caller, subject, told::EXISTING_TAG) {
        return None;
    }
    let version = version(&told::query(&request.uri)).map(str::to_owned);
    Some((bucket, key, version))
}

async fn existing_tags(
    s3: &S3,
    (bucket, key, version): (String, String, Option<String>),
) -> Vec<(String, Vec<String>)> {
    let Ok(bucket) = s3.buckets.find(&bucket, None) else { return Vec::new() };
    let object = s3.find(&bucket, &key, version.as_deref(), "GET").await;
    object.map(|object| told::existing(&object.tags)).unwrap_or_default()
}

/// Asks for the permissions of a request. `existing` are the condition keys of the object's tags.
fn permit<I: 'static>(
    guard: &Guard,
    caller: &Caller,
    operation: &str,
    request: &S3Request<I>,
    existing: Vec<(String, Vec<String>)>,
) -> Result<(), Error> {
    if guard.0.is_none() {
        return Ok(());
    }
    let address = Address::parse("", request.uri.path(), &[]);
    let (uri, headers) = (&request.uri, &request.headers);
    let told = Told { uri, headers, input: &request.input, now: caller.now };
    let source = request.headers.get("x-amz-copy-source").and_then(|it| it.to_str().ok());
    let source = source.map(|text| percent_decode_str(text).decode_utf8_lossy().into_owned());
    let source = source.as_deref().and_then(|text| {
        let (path, version) =
            text.split_once("?versionId=").map_or((text, false), |it| (it.0, true));
        let (bucket, key) = path.trim_start_matches('/').split_once('/')?;
        Some((bucket, key, version))
    });
    let subject = Subject {
        bucket: &address.bucket,
        key: &address.key,
        names_version: version(&told::query(uri)).is_some(),
        source,
    };
    let mut keys = told.keys();
    keys.extend(existing);
    guard.permit(caller, operation, subject, &keys)?;
    let mut also = told.also(operation).into_iter();
    also.try_for_each(|action| guard.permit_action(caller, action, subject.resource(), &keys))
}

fn version(query: &[(String, String)]) -> Option<&str> {
    query.iter().find(|(name, _)| name == "versionId").map(|(_, id)| id.as_str())
}

macro_rules! operations {
    ($($name:ident $input:ident $output:ident $run:path;)*) => {
        #[async_trait::async_trait]
        impl s3s::S3 for Operations {
            $(async fn $name(
                &self,
                request: S3Request<dto::$input>,
            ) -> S3Result<S3Response<dto::$output>> {
                let operation = stringify!($input).trim_end_matches("Input");
                answer(&self.0, operation, request, $run).await
            })*
        }
    };
}

#[rustfmt::skip]
mod table {
    use super::*;

    operations! {
        abort_multipart_upload AbortMultipartUploadInput AbortMultipartUploadOutput multipart::abort;
        complete_multipart_upload CompleteMultipartUploadInput CompleteMultipartUploadOutput multipart::complete;
        copy_object CopyObjectInput CopyObjectOutput copy::run;
        create_bucket CreateBucketInput CreateBucketOutput bucket::create;
        create_multipart_upload CreateMultipartUploadInput CreateMultipartUploadOutput multipart::create;
        delete_bucket DeleteBucketInput DeleteBucketOutput bucket::delete;
        delete_bucket_analytics_configuration DeleteBucketAnalyticsConfigurationInput DeleteBucketAnalyticsConfigurationOutput identified::delete_analytics;
        delete_bucket_cors DeleteBucketCorsInput DeleteBucketCorsOutput configuration::delete_cors;
        delete_bucket_encryption DeleteBucketEncryptionInput DeleteBucketEncryptionOutput configuration::delete_encryption;
        delete_bucket_intelligent_tiering_configuration DeleteBucketIntelligentTieringConfigurationInput DeleteBucketIntelligentTieringConfigurationOutput identified::delete_intelligent_tiering;
        delete_bucket_inventory_configuration DeleteBucketInventoryConfigurationInput DeleteBucketInventoryConfigurationOutput identified::delete_inventory;
        delete_bucket_lifecycle DeleteBucketLifecycleInput DeleteBucketLifecycleOutput configuration::delete_lifecycle;
        delete_bucket_metrics_configuration DeleteBucketMetricsConfigurationInput DeleteBucketMetricsConfigurationOutput identified::delete_metrics;
        delete_bucket_ownership_controls DeleteBucketOwnershipControlsInput DeleteBucketOwnershipControlsOutput configuration::delete_ownership;
        delete_bucket_policy DeleteBucketPolicyInput DeleteBucketPolicyOutput configuration::delete_policy;
        delete_bucket_replication DeleteBucketReplicationInput DeleteBucketReplicationOutput configuration::delete_replication;
        delete_bucket_tagging DeleteBucketTaggingInput DeleteBucketTaggingOutput tagging::delete_bucket;
        delete_bucket_website DeleteBucketWebsiteInput DeleteBucketWebsiteOutput configuration::delete_website;
        delete_object DeleteObjectInput DeleteObjectOutput delete::one;
        delete_object_tagging DeleteObjectTaggingInput DeleteObjectTaggingOutput tagging::delete_object;
        delete_objects DeleteObjectsInput DeleteObjectsOutput delete::many;
        delete_public_access_block DeletePublicAccessBlockInput DeletePublicAccessBlockOutput configuration::delete_public_access_block;
        get_bucket_accelerate_configuration GetBucketAccelerateConfigurationInput GetBucketAccelerateConfigurationOutput settings::get_accelerate;
        get_bucket_acl GetBucketAclInput GetBucketAclOutput acl::get_bucket;
        get_bucket_analytics_configuration GetBucketAnalyticsConfigurationInput GetBucketAnalyticsConfigurationOutput identified::get_analytics;
        get_bucket_cors GetBucketCorsInput GetBucketCorsOutput configuration::get_cors;
        get_bucket_encryption GetBucketEncryptionInput GetBucketEncryptionOutput configuration::get_encryption;
        get_bucket_intelligent_tiering_configuration GetBucketIntelligentTieringConfigurationInput GetBucketIntelligentTieringConfigurationOutput identified::get_intelligent_tiering;
        get_bucket_inventory_configuration GetBucketInventoryConfigurationInput GetBucketInventoryConfigurationOutput identified::get_inventory;
        get_bucket_lifecycle_configuration GetBucketLifecycleConfigurationInput GetBucketLifecycleConfigurationOutput lifecycle::get;
        get_bucket_location GetBucketLocationInput GetBucketLocationOutput bucket::location;
        get_bucket_logging GetBucketLoggingInput GetBucketLoggingOutput settings::get_logging;
        get_bucket_metrics_configuration GetBucketMetricsConfigurationInput GetBucketMetricsConfigurationOutput identified::get_metrics;
        get_bucket_notification_configuration GetBucketNotificationConfigurationInput GetBucketNotificationConfigurationOutput notification::get;
        get_bucket_ownership_controls GetBucketOwnershipControlsInput GetBucketOwnershipControlsOutput configuration::get_ownership;
        get_bucket_policy GetBucketPolicyInput GetBucketPolicyOutput policy::get;
        get_bucket_policy_status GetBucketPolicyStatusInput GetBucketPolicyStatusOutput policy::get_status;
        get_bucket_replication GetBucketReplicationInput GetBucketReplicationOutput configuration::get_replication;
        get_bucket_request_payment GetBucketRequestPaymentInput GetBucketRequestPaymentOutput settings::get_request_payment;
        get_bucket_tagging GetBucketTaggingInput GetBucketTaggingOutput tagging::get_bucket;
        get_bucket_versioning GetBucketVersioningInput GetBucketVersioningOutput settings::get_versioning;
        get_bucket_website GetBucketWebsiteInput GetBucketWebsiteOutput configuration::get_website;
        get_object GetObjectInput GetObjectOutput get::object;
        get_object_acl GetObjectAclInput GetObjectAclOutput acl::get_object;
        get_object_attributes GetObjectAttributesInput GetObjectAttributesOutput attributes::get;
        get_object_legal_hold GetObjectLegalHoldInput GetObjectLegalHoldOutput lock::get_legal_hold;
        get_object_lock_configuration GetObjectLockConfigurationInput GetObjectLockConfigurationOutput lock::get_configuration;
        get_object_retention GetObjectRetentionInput GetObjectRetentionOutput lock::get_retention;
        get_object_tagging GetObjectTaggingInput GetObjectTaggingOutput tagging::get_object;
        get_public_access_block GetPublicAccessBlockInput GetPublicAccessBlockOutput configuration::get_public_access_block;
        head_bucket HeadBucketInput HeadBucketOutput bucket::head;
        head_object HeadObjectInput HeadObjectOutput get::head;
        list_bucket_analytics_configurations ListBucketAnalyticsConfigurationsInput ListBucketAnalyticsConfigurationsOutput identified::list_analytics;
        list_bucket_intelligent_tiering_configurations ListBucketIntelligentTieringConfigurationsInput ListBucketIntelligentTieringConfigurationsOutput identified::list_intelligent_tiering;
        list_bucket_inventory_configurations ListBucketInventoryConfigurationsInput ListBucketInventoryConfigurationsOutput identified::list_inventory;
        list_bucket_metrics_configurations ListBucketMetricsConfigurationsInput ListBucketMetricsConfigurationsOutput identified::list_metrics;
        list_buckets ListBucketsInput ListBucketsOutput bucket::list;
        list_multipart_uploads ListMultipartUploadsInput ListMultipartUploadsOutput multipart::list::uploads;
        list_object_versions ListObjectVersionsInput ListObjectVersionsOutput list::versions;
        list_objects ListObjectsInput ListObjectsOutput list::objects;
        list_objects_v2 ListObjectsV2Input ListObjectsV2Output list::objects_v2;
        list_parts ListPartsInput ListPartsOutput multipart::list::parts;
        put_bucket_accelerate_configuration PutBucketAccelerateConfigurationInput PutBucketAccelerateConfigurationOutput settings::put_accelerate;
        put_bucket_acl PutBucketAclInput PutBucketAclOutput acl::put_bucket;
        put_bucket_analytics_configuration PutBucketAnalyticsConfigurationInput PutBucketAnalyticsConfigurationOutput identified::put_analytics;
        put_bucket_cors PutBucketCorsInput PutBucketCorsOutput configuration::put_cors;
        put_bucket_encryption PutBucketEncryptionInput PutBucketEncryptionOutput configuration::put_encryption;
        put_bucket_intelligent_tiering_configuration PutBucketIntelligentTieringConfigurationInput PutBucketIntelligentTieringConfigurationOutput identified::put_intelligent_tiering;
        put_bucket_inventory_configuration PutBucketInventoryConfigurationInput PutBucketInventoryConfigurationOutput identified::put_inventory;
        put_bucket_lifecycle_configuration PutBucketLifecycleConfigurationInput PutBucketLifecycleConfigurationOutput lifecycle::put;
        put_bucket_logging PutBucketLoggingInput PutBucketLoggingOutput settings::put_logging;
        put_bucket_metrics_configuration PutBucketMetricsConfigurationInput PutBucketMetricsConfigurationOutput identified::put_metrics;
        put_bucket_notification_configuration PutBucketNotificationConfigurationInput PutBucketNotificationConfigurationOutput notification::put;
        put_bucket_ownership_controls PutBucketOwnershipControlsInput PutBucketOwnershipControlsOutput configuration::put_ownership;
        put_bucket_policy PutBucketPolicyInput PutBucketPolicyOutput policy::put;
        put_bucket_replication PutBucketReplicationInput PutBucketReplicationOutput configuration::put_replication;
        put_bucket_request_payment PutBucketRequestPaymentInput PutBucketRequestPaymentOutput settings::put_request_payment;
        put_bucket_tagging PutBucketTaggingInput PutBucketTaggingOutput tagging::put_bucket;
        put_bucket_versioning PutBucketVersioningInput PutBucketVersioningOutput settings::put_versioning;
        put_bucket_website PutBucketWebsiteInput PutBucketWebsiteOutput configuration::put_website;
        put_object PutObjectInput PutObjectOutput put::run;
        put_object_acl PutObjectAclInput PutObjectAclOutput acl::put_object;
        put_object_legal_hold PutObjectLegalHoldInput PutObjectLegalHoldOutput lock::put_legal_hold;
        put_object_lock_configuration PutObjectLockConfigurationInput PutObjectLockConfigurationOutput lock::put_configuration;
        put_object_retention PutObjectRetentionInput PutObjectRetentionOutput lock::put_retention;
        put_object_tagging PutObjectTaggingInput PutObjectTaggingOutput tagging::put_object;
        put_public_access_block PutPublicAccessBlockInput PutPublicAccessBlockOutput configuration::put_public_access_block;
        upload_part UploadPartInput UploadPartOutput multipart::part::upload;
        upload_part_copy UploadPartCopyInput UploadPartCopyOutput multipart::part::copy;
    }
}
