//! Object lock: the bucket's configuration, retention and legal hold of versions.

use std::sync::Arc;

use s3s::dto;

use super::template::parse_legal_hold;
use crate::{
    Error, S3,
    bucket::Versioning,
    history::Place,
    http::Call,
    lock::{self, Bypass, DefaultRetention, Period, Retention},
    moment,
};

/// GetObjectLockConfiguration.
pub(crate) async fn get_configuration(
    s3: Arc<S3>,
    _call: Call,
    input: dto::GetObjectLockConfigurationInput,
) -> Result<dto::GetObjectLockConfigurationOutput, Error> {
    let bucket = s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    if !bucket.row.object_lock {
        return Err(Error::ObjectLockConfigurationNotFoundError { bucket: input.bucket });
    }
    let rule = bucket.row.default_retention.map(|default| {
        let (days, years) = match default.period {
            Period::Days(days) => (i32::try_from(days).ok(), None),
            Period::Years(years) => (None, i32::try_from(years).ok()),
        };
        let mode = Some(default.mode.name().to_owned().into());
        let default_retention = Some(dto::DefaultRetention { days, mode, years });
        dto::ObjectLockRule { default_retention }
    });
    let object_lock_enabled = Some("Enabled".to_owned().into());
    let configuration = dto::ObjectLockConfiguration { object_lock_enabled, rule };
    Ok(dto::GetObjectLockConfigurationOutput { object_lock_configuration: Some(configuration) })
}

/// PutObjectLockConfiguration.
pub(crate) async fn put_configuration(
    s3: Arc<S3>,
    _call: Call,
    input: dto::PutObjectLockConfigurationInput,
) -> Result<dto::PutObjectLockConfigurationOutput, Error> {
    let wanted = input.object_lock_configuration.ok_or(Error::MalformedXML {})?;
    let enabled = wanted.object_lock_enabled.as_ref().map(|enabled| enabled.as_str());
    if enabled != Some("Enabled") {
        return Err(Error::MalformedXML {});
    }
    let default = wanted.rule.and_then(|rule| rule.default_retention);
    let default = default.map(DefaultRetention::parse).transpose()?;
    let owner = input.expected_bucket_owner.as_deref();
    let change = s3.buckets.change(&input.bucket, owner, |row| {
        if row.versioning != Versioning::Enabled {
            return Err(Error::InvalidBucketState {
                message: "Versioning must be 'Enabled' on the bucket to apply a Object Lock \
                          configuration"
                    .to_owned(),
            });
        }
        row.object_lock = true;
        row.default_retention = default;
        Ok(())
    });
    change.await?;
    Ok(dto::PutObjectLockConfigurationOutput::default())
}

/// GetObjectRetention.
pub(crate) async fn get_retention(
    s3: Arc<S3>,
    _call: Call,
    input: dto::GetObjectRetentionInput,
) -> Result<dto::GetObjectRetentionOutput, Error> {
    let bucket = s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    check_locked(bucket.row.object_lock)?;
    let object = s3.find(&bucket, &input.key, input.version_id.as_deref(), "GET").await?;
    let missing = || Error::NoSuchObjectLockConfiguration { key: input.key.clone() };
    let retention = object.retention.ok_or_else(missing)?;
    Ok(dto::GetObjectRetentionOutput {
        retention: Some(dto::ObjectLockRetention {
            mode: Some(retention.mode.name().to_owned().into()),
            retain_until_date: Some(moment::timestamp(retention.until)),
        }),
    })
}

/// PutObjectRetention. An empty document lifts governance.
pub(crate) async fn put_retention(
    s3: Arc<S3>,
    call: Call,
    input: dto::PutObjectRetentionInput,
) -> Result<dto::PutObjectRetentionOutput, Error> {
    let wanted = input.retention.unwrap_or_default();
    let mode = wanted.mode.as_ref().map(|mode| mode.as_str());
    let until = wanted.retain_until_date.as_ref().map(moment::millis);
    if mode.is_some() != until.is_some() {
        return Err(Error::MalformedXML {});
    }
    let wanted: Option<Retention> = lock::retention(mode, until, call.now)?;
    let bypass = Bypass::from(input.bypass_governance_retention);
    let owner = input.expected_bucket_owner;
    let place = Place { bucket: input.bucket, key: input.key, owner };
    let amend = s3.amend(&call, &place, input.version_id.as_deref(), None, |bucket, object| {
        check_locked(bucket.row.object_lock)?;
        lock::check_change(object.retention, wanted, call.now, bypass)?;
        object.retention = wanted;
        Ok(())
    });
    amend.await?;
    Ok(dto::PutObjectRetentionOutput::default())
}

/// GetObjectLegalHold.
pub(crate) async fn get_legal_hold(
    s3: Arc<S3>,
    _call: Call,
    input: dto::GetObjectLegalHoldInput,
) -> Result<dto::GetObjectLegalHoldOutput, Error> {
    let bucket = s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    check_locked(bucket.row.object_lock)?;
    let object = s3.find(&bucket, &input.key, input.version_id.as_deref(), "GET").await?;
    let missing = || Error::NoSuchObjectLockConfiguration { key: input.key.clone() };
    let held = object.legal_hold.ok_or_else(missing)?;
    let status = Some(if held { "ON" } else { "OFF" }.to_owned().into());
    Ok(dto::GetObjectLegalHoldOutput { legal_hold: Some(dto::ObjectLockLegalHold { status }) })
}

/// PutObjectLegalHold.
pub(crate) async fn put_legal_hold(
    s3: Arc<S3>,
    call: Call,
    input: dto::PutObjectLegalHoldInput,
) -> Result<dto::PutObjectLegalHoldOutput, Error> {
    let status = input.legal_hold.and_then(|hold| hold.status).ok_or(Error::MalformedXML {})?;
    let held = parse_legal_hold(status.as_str()).map_err(|_| Error::MalformedXML {})?;
    let owner = input.expected_bucket_owner;
    let place = Place { bucket: input.bucket, key: input.key, owner };
    let amend = s3.amend(&call, &place, input.version_id.as_deref(), None, |bucket, object| {
        check_locked(bucket.row.object_lock)?;
        object.legal_hold = Some(held);
        Ok(())
    });
    amend.await?;
    Ok(dto::PutObjectLegalHoldOutput::default())
}

fn check_locked(object_lock: bool) -> Result<(), Error> {
    if object_lock {
        return Ok(());
    }
    Err(Error::request("Bucket is missing Object Lock Configuration"))
}
