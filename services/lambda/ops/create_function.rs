//! `CreateFunction`: takes the code, checks the settings, and makes both durable.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;

use crate::{
    Error, Lambda,
    function::Function,
    limits,
    name::{self, LATEST},
    ops::{source::Source, tags},
    settings::Settings,
    version::Version,
    view::Moment,
};

pub(crate) async fn run(
    lambda: Arc<Lambda>,
    caller: Caller,
    mut input: api::CreateFunctionInput,
) -> Result<api::CreateFunctionOutput, Error> {
    let named = name::own(&caller, &input.function_name, None)?;
    if named.key.name.len() > limits::NAME_CHARS {
        return Err(Error::NameTooLong(input.function_name));
    }
    if named.qualifier.is_some_and(|qualifier| qualifier != LATEST) {
        return Err(Error::FunctionsOnly);
    }
    if input.publish_to.is_some() {
        return Err(Error::NotBuilt("$LATEST.PUBLISHED"));
    }
    let key = named.key;
    let publish = input.publish == Some(true);
    let given_tags = input.tags.take().unwrap_or_default();
    tags::check(&given_tags)?;
    lambda.check_network(&given_tags)?;
    let source = Source::from(std::mem::take(&mut input.code));
    source.fits_create(input.package_type == Some(api::PackageType::Image))?;
    let signing_arn = input.code_signing_config_arn.take();
    let layers = input.layers.clone().unwrap_or_default();
    let mut settings = Settings::created(input)?;
    settings.layers = lambda.layers.used(&caller, &layers)?;
    lambda.check_dead_letter(&key, settings.dead_letter.as_ref())?;
    if lambda.functions.get(&key).is_ok() {
        return Err(Error::FunctionExists(key.name));
    }
    match &settings.image {
        Some(_) if signing_arn.is_some() => return Err(Error::SignedImage),
        Some(_) => lambda.check_images()?,
        None => lambda.check_runtime(&settings.runtime).await?,
    }
    let fetched = source.fetch(&lambda, &caller).await?;
    lambda.check_role(&caller, &settings.role)?;
    let mut signings_turn = None;
    if let Some(arn) = &signing_arn {
        // Kept until the function has the configuration, which cannot be deleted then.
        signings_turn = Some(lambda.signings.turn.lock().await);
        lambda.signing(&caller, arn)?.check(&key.name)?;
    }
    let taken = fetched.take(&lambda).await?;
    let fits = lambda.check_unpacked_size(&taken.code, &settings.layers).await;
    let latest = Version::first(settings, taken.code.clone(), caller.now);
    let mut function = Function::new(key.clone(), latest, given_tags);
    function.common.code_signing = signing_arn;
    let shown = if publish { function.publish(None) } else { function.latest().clone() };
    let added = match fits {
        Ok(()) => lambda.add(function).await,
        large => large,
    };
    drop(signings_turn);
    if let Err(error) = added {
        lambda.code.forget(taken.code.blob()).await;
        return Err(error);
    }
    lambda.take_snapshot(&key, &shown);
    // AWS shows the unqualified ARN even when it publishes.
    Ok(lambda.described(&key, &shown, None, Moment::Creating).await)
}
