//! Settings that every bucket has: versioning, acceleration, logging, who pays for requests.
//! Acceleration, logging and request payment are stored only.

use std::sync::Arc;

use s3s::dto;

use crate::{Error, S3, bucket::Versioning, document::kind, http::Call};

/// GetBucketVersioning.
pub(crate) async fn get_versioning(
    s3: Arc<S3>,
    _call: Call,
    input: dto::GetBucketVersioningInput,
) -> Result<dto::GetBucketVersioningOutput, Error> {
    let bucket = s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let status = match bucket.row.versioning {
        Versioning::Never => None,
        Versioning::Enabled => Some("Enabled"),
        Versioning::Suspended => Some("Suspended"),
    };
    let mfa_delete = bucket.row.mfa_delete.map(|on| if on { "Enabled" } else { "Disabled" });
    Ok(dto::GetBucketVersioningOutput {
        mfa_delete: mfa_delete.map(|status| status.to_owned().into()),
        status: status.map(|status| status.to_owned().into()),
    })
}

/// PutBucketVersioning. MFA delete is stored, not enforced: there are no devices to ask.
pub(crate) async fn put_versioning(
    s3: Arc<S3>,
    _call: Call,
    input: dto::PutBucketVersioningInput,
) -> Result<dto::PutBucketVersioningOutput, Error> {
    let wanted = input.versioning_configuration;
    let status = wanted.status.as_ref().map(|status| status.as_str());
    let versioning = match status {
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        _ => {
            let message = "The Versioning element must be specified";
            return Err(Error::IllegalVersioningConfigurationException {
                message: message.to_owned(),
            });
        }
    };
    let mfa_delete = wanted.mfa_delete.map(|status| status.as_str() == "Enabled");
    let owner = input.expected_bucket_owner.as_deref();
    let change = s3.buckets.change(&input.bucket, owner, |row| {
        if row.object_lock && versioning == Versioning::Suspended {
            return Err(Error::InvalidBucketState {
                message: "An Object Lock configuration is present on this bucket, so the \
                          versioning state cannot be changed."
                    .to_owned(),
            });
        }
        row.versioning = versioning;
        row.mfa_delete = mfa_delete.or(row.mfa_delete);
        Ok(())
    });
    change.await?;
    Ok(dto::PutBucketVersioningOutput {})
}

/// GetBucketAccelerateConfiguration.
pub(crate) async fn get_accelerate(
    s3: Arc<S3>,
    _call: Call,
    input: dto::GetBucketAccelerateConfigurationInput,
) -> Result<dto::GetBucketAccelerateConfigurationOutput, Error> {
    let bucket = s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let found: Option<dto::AccelerateConfiguration> = bucket.row.document(kind::ACCELERATE)?;
    let status = found.and_then(|found| found.status);
    Ok(dto::GetBucketAccelerateConfigurationOutput { status, request_charged: None })
}

/// PutBucketAccelerateConfiguration.
pub(crate) async fn put_accelerate(
    s3: Arc<S3>,
    _call: Call,
    input: dto::PutBucketAccelerateConfigurationInput,
) -> Result<dto::PutBucketAccelerateConfigurationOutput, Error> {
    let wanted = &input.accelerate_configuration;
    let status = wanted.status.as_ref().map(|status| status.as_str());
    if !matches!(status, Some("Enabled" | "Suspended")) {
        return Err(Error::MalformedXML {});
    }
    if input.bucket.contains('.') {
        return Err(Error::request(
            "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names",
        ));
    }
    let owner = input.expected_bucket_owner.as_deref();
    let change = s3.buckets.change(&input.bucket, owner, |row| {
        row.set_document(kind::ACCELERATE, wanted);
        Ok(())
    });
    change.await?;
    Ok(dto::PutBucketAccelerateConfigurationOutput {})
}

/// GetBucketLogging.
pub(crate) async fn get_logging(
    s3: Arc<S3>,
    _call: Call,
    input: dto::GetBucketLoggingInput,
) -> Result<dto::GetBucketLoggingOutput, Error> {
    let bucket = s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let found: Option<dto::BucketLoggingStatus> = bucket.row.document(kind::LOGGING)?;
    let logging_enabled = found.and_then(|found| found.logging_enabled);
    Ok(dto::GetBucketLoggingOutput { logging_enabled })
}

/// PutBucketLogging.
pub(crate) async fn put_logging(
    s3: Arc<S3>,
    _call: Call,
    input: dto::PutBucketLoggingInput,
) -> Result<dto::PutBucketLoggingOutput, Error> {
    if let Some(logging) = &input.bucket_logging_status.logging_enabled {
        let target = logging.target_bucket.clone();
        let missing = |_| Error::InvalidTargetBucketForLogging { bucket: target.clone() };
        s3.buckets.find(&target, None).map_err(missing)?;
    }
    let owner = input.expected_bucket_owner.as_deref();
    let change = s3.buckets.change(&input.bucket, owner, |row| {
        row.set_document(kind::LOGGING, &input.bucket_logging_status);
        Ok(())
    });
    change.await?;
    Ok(dto::PutBucketLoggingOutput {})
}

/// GetBucketRequestPayment.
pub(crate) async fn get_request_payment(
    s3: Arc<S3>,
    _call: Call,
    input: dto::GetBucketRequestPaymentInput,
) -> Result<dto::GetBucketRequestPaymentOutput, Error> {
    let bucket = s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let found: Option<dto::RequestPaymentConfiguration> =
        bucket.row.document(kind::REQUEST_PAYMENT)?;
    let payer = found.map_or_else(|| "BucketOwner".to_owned().into(), |found| found.payer);
    Ok(dto::GetBucketRequestPaymentOutput { payer: Some(payer) })
}

/// PutBucketRequestPayment.
pub(crate) async fn put_request_payment(
    s3: Arc<S3>,
    _call: Call,
    input: dto::PutBucketRequestPaymentInput,
) -> Result<dto::PutBucketRequestPaymentOutput, Error> {
    let wanted = &input.request_payment_configuration;
    if !["BucketOwner", "Requester"].contains(&wanted.payer.as_str()) {
        return Err(Error::MalformedXML {});
    }
    let owner = input.expected_bucket_owner.as_deref();
    let change = s3.buckets.change(&input.bucket, owner, |row| {
        row.set_document(kind::REQUEST_PAYMENT, wanted);
        Ok(())
    });
    change.await?;
    Ok(dto::PutBucketRequestPaymentOutput {})
}
