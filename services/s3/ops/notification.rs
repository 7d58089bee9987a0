//! Notification configurations.

use std::sync::Arc;

use s3s::dto;

use crate::{
    Error, S3,
    bucket::Bucket,
    change::Change,
    document::kind,
    http::Call,
    intake::Unnamed,
    notification::{self, config},
};

/// GetBucketNotificationConfiguration. An empty document stands for none.
pub(crate) async fn get(
    s3: Arc<S3>,
    _call: Call,
    input: dto::GetBucketNotificationConfigurationInput,
) -> Result<dto::GetBucketNotificationConfigurationOutput, Error> {
    let bucket = s3.buckets.find(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let found: Option<dto::NotificationConfiguration> = bucket.row.document(kind::NOTIFICATION)?;
    let found = found.unwrap_or_default();
    Ok(dto::GetBucketNotificationConfigurationOutput {
        event_bridge_configuration: found.event_bridge_configuration,
        lambda_function_configurations: found.lambda_function_configurations,
        queue_configurations: found.queue_configurations,
        topic_configurations: found.topic_configurations,
    })
}

/// PutBucketNotificationConfiguration.
pub(crate) async fn put(
    s3: Arc<S3>,
    call: Call,
    input: dto::PutBucketNotificationConfigurationInput,
) -> Result<dto::PutBucketNotificationConfigurationOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = s3.buckets.find(&input.bucket, owner)?;
    let mut document = input.notification_configuration;
    config::name_all(&mut document);
    config::check(&document)?;
    if input.skip_destination_validation != Some(true) {
        s3.check_targets(&bucket, &call, &document).await?;
    }
    let change = s3.buckets.change(&input.bucket, owner, |row| {
        row.set_document(kind::NOTIFICATION, &document);
        Ok(())
    });
    change.await?;
    s3.send_tests(&input.bucket, &call, &document).await?;
    Ok(dto::PutBucketNotificationConfigurationOutput {})
}

impl S3 {
    async fn check_targets(
        &self,
        bucket: &Bucket,
        call: &Call,
        document: &dto::NotificationConfiguration,
    ) -> Result<(), Error> {
        for rule in config::targets(document).iter().filter_map(|target| target.rule()) {
            let sample = notification::test_delivery(bucket, call, rule.target.clone());
            let refused = match self.bus.directory().target(&rule.target) {
                Some(target) => match target.validate(&sample).await {
                    Ok(()) => continue,
                    Err(error) => error.to_string(),
                },
                // Topics are stored, since nothing delivers to them yet.
                None if rule.target.service() == "sns" => continue,
                None => "The destination does not exist".to_owned(),
            };
            return Err(Error::UnableToValidate { arn: rule.target.to_string(), reason: refused });
        }
        Ok(())
    }

    /// Queues get a test event; functions do not.
    async fn send_tests(
        self: &Arc<S3>,
        bucket: &str,
        call: &Call,
        document: &dto::NotificationConfiguration,
    ) -> Result<(), Error> {
        let bucket = self.buckets.find(bucket, None)?;
        let mut change = Change::new(&bucket);
        let rules = config::targets(document).into_iter().filter_map(|target| target.rule());
        let queues = rules.filter(|rule| rule.target.service() == "sqs");
        change.deliveries =
            queues.map(|rule| notification::test_delivery(&bucket, call, rule.target)).collect();
        if change.deliveries.is_empty() {
            return Ok(());
        }
        let nothing = Unnamed::nothing(self.store.blobs());
        self.settle(change, nothing).await.map_err(|unsettled| Error::from(unsettled.error))
    }
}
