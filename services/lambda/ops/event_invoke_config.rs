//! How asynchronous events of a function, version or alias are handled: put, update, get, delete,
//! list.

use std::sync::Arc;

use kit::{Arn, Caller};
use model::lambda as api;
use wire::Unit;

use crate::{
    Error, Lambda,
    invoke::{concurrency::FunctionKey, destination::Asked, event::EventPolicy},
    name::{self, LATEST},
    ops::page::page,
};

pub(crate) async fn put(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::PutFunctionEventInvokeConfigInput,
) -> Result<api::PutFunctionEventInvokeConfigOutput, Error> {
    let (retries, age) = (input.maximum_retry_attempts, input.maximum_event_age_in_seconds);
    check_given(retries, age, input.destination_config.as_ref())?;
    let place = Place::of(&caller, &input.function_name, input.qualifier.as_deref())?;
    place.check_exists(&lambda)?;
    let mut policy = EventPolicy::default();
    set_limits(&mut policy, retries, age);
    place.set_destinations(&lambda, &caller, &mut policy, input.destination_config).await?;
    place.save(&lambda, &caller, policy).await
}

pub(crate) async fn update(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::UpdateFunctionEventInvokeConfigInput,
) -> Result<api::UpdateFunctionEventInvokeConfigOutput, Error> {
    let (retries, age) = (input.maximum_retry_attempts, input.maximum_event_age_in_seconds);
    check_given(retries, age, input.destination_config.as_ref())?;
    let place = Place::of(&caller, &input.function_name, input.qualifier.as_deref())?;
    place.check_exists(&lambda)?;
    let mut policy = place.find(&lambda)?;
    set_limits(&mut policy, retries, age);
    if input.destination_config.is_some() {
        place.set_destinations(&lambda, &caller, &mut policy, input.destination_config).await?;
    }
    place.save(&lambda, &caller, policy).await
}

pub(crate) async fn get(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::GetFunctionEventInvokeConfigInput,
) -> Result<api::GetFunctionEventInvokeConfigOutput, Error> {
    let place = Place::of(&caller, &input.function_name, input.qualifier.as_deref())?;
    let policy = place.find(&lambda)?;
    Ok(describe(&place.arn(), &policy))
}

pub(crate) async fn delete(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::DeleteFunctionEventInvokeConfigInput,
) -> Result<Unit, Error> {
    let place = Place::of(&caller, &input.function_name, input.qualifier.as_deref())?;
    place.find(&lambda)?;
    let deleted = lambda.change(&place.key, |function| {
        function.common.events.remove(&place.qualifier);
        Ok(Unit)
    });
    deleted.await
}

pub(crate) async fn list(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::ListFunctionEventInvokeConfigsInput,
) -> Result<api::ListFunctionEventInvokeConfigsOutput, Error> {
    let named = name::resolve(&caller, &input.function_name, None)?;
    let live = lambda.functions.get(&named.key)?;
    let configs = live.function.common.events.iter().map(|(qualifier, policy)| {
        (qualifier.clone(), describe(&named.key.qualified(Some(qualifier)), policy))
    });
    let page = page(configs, input.marker.as_deref(), input.max_items)?;
    Ok(api::ListFunctionEventInvokeConfigsOutput {
        function_event_invoke_configs: Some(page.items),
        next_marker: page.next,
    })
}

/// The function, version or alias that a configuration belongs to.
struct Place {
    key: FunctionKey,
    qualifier: String,
}

impl Place {
    fn of(caller: &Caller, name: &str, qualifier: Option<&str>) -> Result<Place, Error> {
        let named = name::resolve(caller, name, qualifier)?;
        let qualifier = named.qualifier.unwrap_or_else(|| LATEST.to_owned());
        Ok(Place { key: named.key, qualifier })
    }

    fn arn(&self) -> String {
        self.key.qualified(Some(&self.qualifier))
    }

    fn check_exists(&self, lambda: &Lambda) -> Result<(), Error> {
        let found = lambda.functions.get(&self.key);
        let found = found.is_ok_and(|live| live.function.version(Some(&self.qualifier)).is_ok());
        if found { Ok(()) } else { Err(Error::NoFunctionForEvents) }
    }

    fn find(&self, lambda: &Lambda) -> Result<EventPolicy, Error> {
        let live = lambda.functions.get(&self.key)?;
        let policy = live.function.event_policy(Some(&self.qualifier)).cloned();
        policy.ok_or_else(|| Error::NoEventPolicy(self.arn()))
    }

    async fn set_destinations(
        &self,
        lambda: &Lambda,
        caller: &Caller,
        policy: &mut EventPolicy,
        config: Option<api::DestinationConfig>,
    ) -> Result<(), Error> {
        let config = config.unwrap_or_default();
        // An empty text takes a destination away.
        let given = |text: Option<String>| text.filter(|it| !it.is_empty());
        let asked = Asked {
            on_success: given(config.on_success.and_then(|it| it.destination)),
            on_failure: given(config.on_failure.and_then(|it| it.destination)),
        };
        let checked = lambda.check_destinations(caller, &self.key, asked).await?;
        (policy.on_success, policy.on_failure) = checked;
        Ok(())
    }

    async fn save(
        &self,
        lambda: &Lambda,
        caller: &Caller,
        mut policy: EventPolicy,
    ) -> Result<api::FunctionEventInvokeConfig, Error> {
        policy.modified = caller.now;
        let saved = lambda.change(&self.key, |function| {
            function.version(Some(&self.qualifier))?;
            function.common.events.insert(self.qualifier.clone(), policy.clone());
            Ok(())
        });
        saved.await?;
        Ok(describe(&self.arn(), &policy))
    }
}

fn check_given(
    retries: Option<i32>,
    age_seconds: Option<i32>,
    destinations: Option<&api::DestinationConfig>,
) -> Result<(), Error> {
    if retries.is_none() && age_seconds.is_none() && destinations.is_none() {
        return Err(Error::NothingForEvents);
    }
    Ok(())
}

fn set_limits(policy: &mut EventPolicy, retries: Option<i32>, age_seconds: Option<i32>) {
    let number = |given: Option<i32>| given.and_then(|it| u32::try_from(it).ok());
    policy.retries = number(retries).or(policy.retries);
    policy.age_seconds = number(age_seconds).or(policy.age_seconds);
}

fn describe(arn: &str, policy: &EventPolicy) -> api::FunctionEventInvokeConfig {
    let destination = |arn: &Option<Arn>| arn.as_ref().map(ToString::to_string);
    api::FunctionEventInvokeConfig {
        last_modified: Some(policy.modified),
        function_arn: Some(arn.to_owned()),
        maximum_retry_attempts: policy.retries.and_then(|it| i32::try_from(it).ok()),
        maximum_event_age_in_seconds: policy.age_seconds.and_then(|it| i32::try_from(it).ok()),
        destination_config: Some(api::DestinationConfig {
            on_success: Some(api::OnSuccess { destination: destination(&policy.on_success) }),
            on_failure: Some(api::OnFailure { destination: destination(&policy.on_failure) }),
        }),
    }
}
