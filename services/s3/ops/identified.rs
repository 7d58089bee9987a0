//! Configurations that a bucket holds by id: analytics, intelligent tiering, inventory, metrics.
//! They are stored only.

use std::sync::Arc;

use s3s::{
    dto,
    xml::{DeserializeContent, SerializeContent},
};

use crate::{
    Error, S3,
    document::{self, kind},
    http::Call,
    limits,
};

impl S3 {
    async fn store_identified(
        &self,
        bucket: &str,
        owner: Option<&str>,
        (kind, id): (&str, &str),
        document: &impl SerializeContent,
    ) -> Result<(), Error> {
        let text = document::write(document);
        let change = self.buckets.change(bucket, owner, |row| {
            row.documents.insert(format!("{kind}/{id}"), text.clone());
            let of_kind = row.documents.keys().filter(|name| id_of(kind, name).is_some());
            if of_kind.count() > limits::CONFIGURATIONS {
                return Err(Error::TooManyConfigurations {});
            }
            Ok(())
        });
        change.await
    }

    async fn remove_identified(
        &self,
        bucket: &str,
        owner: Option<&str>,
        (kind, id): (&str, &str),
    ) -> Result<(), Error> {
        let change = self.buckets.change(bucket, owner, |row| {
            let removed = row.documents.remove(&format!("{kind}/{id}"));
            removed
                .map(drop)
                .ok_or_else(|| Error::NoSuchConfiguration { bucket: bucket.to_owned() })
        });
        change.await
    }

    fn identified<T: for<'xml> DeserializeContent<'xml>>(
        &self,
        bucket: &str,
        owner: Option<&str>,
        (kind, id): (&str, &str),
    ) -> Result<T, Error> {
        let found = self.buckets.find(bucket, owner)?.row.document(&format!("{kind}/{id}"))?;
        found.ok_or_else(|| Error::NoSuchConfiguration { bucket: bucket.to_owned() })
    }

    /// A page of configurations and the token of the next one.
    fn all_identified<T: for<'xml> DeserializeContent<'xml>>(
        &self,
        bucket: &str,
        owner: Option<&str>,
        kind: &str,
        token: Option<&str>,
    ) -> Result<(Vec<T>, Option<String>), Error> {
        let bucket = self.buckets.find(bucket, owner)?;
        let documents = bucket.row.documents.iter();
        let all = documents.filter_map(|(name, text)| Some((id_of(kind, name)?, text)));
        let mut behind = all.filter(|(id, _)| token.is_none_or(|token| *id > token));
        let page: Vec<_> = behind.by_ref().take(limits::PAGE_CONFIGURATIONS).collect();
        let more = behind.next().is_some();
        let next = page.last().filter(|_| more).map(|(id, _)| (*id).to_owned());
        let read = page.into_iter().map(|(_, text)| document::read(text));
        Ok((read.collect::<Result<_, _>>()?, next))
    }
}

fn id_of<'a>(kind: &str, name: &'a str) -> Option<&'a str> {
    name.strip_prefix(kind)?.strip_prefix('/')
}

macro_rules! family {
    (
        $kind:ident $document:ident,
        $put:ident $put_input:ident $put_output:ident,
        $get:ident $get_input:ident $get_output:ident,
        $delete:ident $delete_input:ident $delete_output:ident,
        $list:ident $list_input:ident $list_output:ident $list_member:ident,
        $owner:expr
    ) => {
        #[doc = concat!("`", stringify!($put_input), "`")]
        pub(crate) async fn $put(
            s3: Arc<S3>,
            _call: Call,
            input: dto::$put_input,
        ) -> Result<dto::$put_output, Error> {
            let owner: fn(&dto::$put_input) -> Option<String> = $owner;
            let at = (kind::$kind, input.id.as_str());
            let owner = owner(&input);
            s3.store_identified(&input.bucket, owner.as_deref(), at, &input.$document).await?;
            Ok(dto::$put_output {})
        }

        #[doc = concat!("`", stringify!($get_input), "`")]
        pub(crate) async fn $get(
            s3: Arc<S3>,
            _call: Call,
            input: dto::$get_input,
        ) -> Result<dto::$get_output, Error> {
            let found = s3.identified(&input.bucket, None, (kind::$kind, &input.id))?;
            Ok(dto::$get_output { $document: Some(found) })
        }

        #[doc = concat!("`", stringify!($delete_input), "`")]
        pub(crate) async fn $delete(
            s3: Arc<S3>,
            _call: Call,
            input: dto::$delete_input,
        ) -> Result<dto::$delete_output, Error> {
            s3.remove_identified(&input.bucket, None, (kind::$kind, &input.id)).await?;
            Ok(dto::$delete_output {})
        }

        #[doc = concat!("`", stringify!($list_input), "`")]
        pub(crate) async fn $list(
            s3: Arc<S3>,
            _call: Call,
            input: dto::$list_input,
        ) -> Result<dto::$list_output, Error> {
            let token = input.continuation_token.as_deref();
            let (found, next) = s3.all_identified(&input.bucket, None, kind::$kind, token)?;
            Ok(dto::$list_output {
                $list_member: Some(found),
                is_truncated: Some(next.is_some()),
                continuation_token: input.continuation_token,
                next_continuation_token: next,
            })
        }
    };
}

family! {
    ANALYTICS analytics_configuration,
    put_analytics PutBucketAnalyticsConfigurationInput PutBucketAnalyticsConfigurationOutput,
    get_analytics GetBucketAnalyticsConfigurationInput GetBucketAnalyticsConfigurationOutput,
    delete_analytics DeleteBucketAnalyticsConfigurationInput DeleteBucketAnalyticsConfigurationOutput,
    list_analytics ListBucketAnalyticsConfigurationsInput ListBucketAnalyticsConfigurationsOutput analytics_configuration_list,
    |input| input.expected_bucket_owner.clone()
}

family! {
    INTELLIGENT_TIERING intelligent_tiering_configuration,
    put_intelligent_tiering PutBucketIntelligentTieringConfigurationInput PutBucketIntelligentTieringConfigurationOutput,
    get_intelligent_tiering GetBucketIntelligentTieringConfigurationInput GetBucketIntelligentTieringConfigurationOutput,
    delete_intelligent_tiering DeleteBucketIntelligentTieringConfigurationInput DeleteBucketIntelligentTieringConfigurationOutput,
    list_intelligent_tiering ListBucketIntelligentTieringConfigurationsInput ListBucketIntelligentTieringConfigurationsOutput intelligent_tiering_configuration_list,
    |_| None
}

family! {
    INVENTORY inventory_configuration,
    put_inventory PutBucketInventoryConfigurationInput PutBucketInventoryConfigurationOutput,
    get_inventory GetBucketInventoryConfigurationInput GetBucketInventoryConfigurationOutput,
    delete_inventory DeleteBucketInventoryConfigurationInput DeleteBucketInventoryConfigurationOutput,
    list_inventory ListBucketInventoryConfigurationsInput ListBucketInventoryConfigurationsOutput inventory_configuration_list,
    |input| input.expected_bucket_owner.clone()
}

family! {
    METRICS metrics_configuration,
    put_metrics PutBucketMetricsConfigurationInput PutBucketMetricsConfigurationOutput,
    get_metrics GetBucketMetricsConfigurationInput GetBucketMetricsConfigurationOutput,
    delete_metrics DeleteBucketMetricsConfigurationInput DeleteBucketMetricsConfigurationOutput,
    list_metrics ListBucketMetricsConfigurationsInput ListBucketMetricsConfigurationsOutput metrics_configuration_list,
    |input| input.expected_bucket_owner.clone()
}
