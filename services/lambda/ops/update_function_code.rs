//! `UpdateFunctionCode`.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;
use wire::Enumeration;

use crate::{
    Error, Lambda,
    ops::{source::Source, unqualified},
    version::Version,
    view::Moment,
};

pub(crate) async fn run(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::UpdateFunctionCodeInput,
) -> Result<api::UpdateFunctionCodeOutput, Error> {
    let key = unqualified(&caller, &input.function_name)?;
    if input.publish_to.is_some() {
        return Err(Error::NotBuilt("$LATEST.PUBLISHED"));
    }
    lambda.functions.get(&key)?.function.check_revision(input.revision_id.as_deref())?;
    let _updating = lambda.functions.begin_update(&key)?;
    let source = Source {
        zip_file: input.zip_file,
        bucket: input.s3_bucket,
        key: input.s3_key,
        version: input.s3_object_version,
        image: input.image_uri,
        kms_key: input.source_kms_key_arn,
        mode: input.s3_object_storage_mode,
    };
    let live = lambda.functions.get(&key)?;
    source.fits_update(live.function.latest().code.image().is_some())?;
    let fetched = source.fetch(&lambda, &caller).await?;
    lambda.check_signature(&caller, &key)?;
    let taken = fetched.take(&lambda).await?;
    let layers = lambda.functions.get(&key)?.function.latest().settings.layers.clone();
    if let Err(error) = lambda.check_unpacked_size(&taken.code, &layers).await {
        lambda.code.forget(taken.code.blob()).await;
        return Err(error);
    }
    let architecture = input.architectures.as_deref().and_then(<[_]>::first).copied();
    let change = |latest: &mut Version| {
        latest.code = taken.code.clone();
        if let Some(architecture) = architecture {
            latest.settings.architecture = architecture.as_str().to_owned();
        }
        Ok(())
    };
    if input.dry_run == Some(true) {
        lambda.code.forget(taken.code.blob()).await;
        let mut latest = Version::clone(lambda.functions.get(&key)?.function.latest());
        change(&mut latest)?;
        return Ok(lambda.described(&key, &latest, None, Moment::Settled).await);
    }
    let publish = input.publish == Some(true);
    let changed = lambda.change(&key, |function| {
        function.check_revision(input.revision_id.as_deref())?;
        function.change_latest(caller.now, change)?;
        Ok(if publish { function.publish(None) } else { function.latest().clone() })
    });
    let shown = match changed.await {
        Ok(shown) => shown,
        Err(error) => {
            lambda.code.forget(taken.code.blob()).await;
            return Err(error);
        }
    };
    drop(taken);
    lambda.take_snapshot(&key, &shown);
    lambda.collect_code().await;
    if publish {
        let qualifier = shown.number.to_string();
        return Ok(lambda.described(&key, &shown, Some(&qualifier), Moment::Creating).await);
    }
    Ok(lambda.described(&key, &shown, None, Moment::Updating).await)
}
