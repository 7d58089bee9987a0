//! `CreateFunctionUrlConfig`, `GetFunctionUrlConfig`, `ListFunctionUrlConfigs`,
//! `UpdateFunctionUrlConfig`, `DeleteFunctionUrlConfig`.

use std::sync::Arc;

use kit::Caller;
use model::lambda as api;
use wire::Unit;

use crate::{
    Error, Lambda,
    function::Function,
    invoke::concurrency::FunctionKey,
    name::{self, LATEST},
    ops::{page::page, unqualified},
    url::{
        config::{AuthType, FunctionUrl, Mode},
        cors::Cors,
    },
};

pub(crate) async fn create(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::CreateFunctionUrlConfigInput,
) -> Result<api::CreateFunctionUrlConfigOutput, Error> {
    let place = Place::of(&caller, &input.function_name, input.qualifier.as_deref())?;
    let cors = input.cors.and_then(read_cors);
    let mode = input.invoke_mode.map_or(Mode::Buffered, read_mode);
    let url = FunctionUrl::new(read_auth(input.auth_type), cors, mode, caller.now);
    lambda.functions.get(&place.key).map_err(|_| Error::NoFunctionForUrl)?;
    let created = lambda.change(&place.key, |function| {
        place.check(function)?;
        if function.common.urls.contains_key(&place.alias) {
            return Err(Error::UrlExists(place.arn()));
        }
        function.common.urls.insert(place.alias.clone(), url.clone());
        Ok(())
    });
    created.await?;
    Ok(api::CreateFunctionUrlConfigOutput {
        // AWS tells only what was asked for.
        invoke_mode: input.invoke_mode,
        function_url: url.address(&caller.region, &caller.endpoint),
        function_arn: place.arn(),
        auth_type: input.auth_type,
        cors: url.cors.as_ref().map(show_cors),
        creation_time: url.created.iso8601(),
    })
}

pub(crate) async fn get(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::GetFunctionUrlConfigInput,
) -> Result<api::GetFunctionUrlConfigOutput, Error> {
    let place = Place::of(&caller, &input.function_name, input.qualifier.as_deref())?;
    let live = lambda.functions.get(&place.key).map_err(|_| Error::NoSuchResource)?;
    let url = live.function.common.urls.get(&place.alias).ok_or(Error::NoSuchResource)?;
    let shown = show(&caller, place.arn(), url);
    Ok(api::GetFunctionUrlConfigOutput {
        function_url: shown.function_url,
        function_arn: shown.function_arn,
        auth_type: shown.auth_type,
        cors: shown.cors,
        creation_time: shown.creation_time,
        last_modified_time: shown.last_modified_time,
        invoke_mode: shown.invoke_mode,
    })
}

pub(crate) async fn list(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::ListFunctionUrlConfigsInput,
) -> Result<api::ListFunctionUrlConfigsOutput, Error> {
    let key = unqualified(&caller, &input.function_name)?;
    let live = lambda.functions.get(&key).map_err(|_| Error::NoFunctionForUrl)?;
    let listed = live.function.common.urls.iter().map(|(alias, url)| {
        let arn = key.qualified((!alias.is_empty()).then_some(alias));
        (arn.clone(), show(&caller, arn, url))
    });
    let page = page(listed, input.marker.as_deref(), input.max_items)?;
    let function_url_configs = page.items;
    Ok(api::ListFunctionUrlConfigsOutput { function_url_configs, next_marker: page.next })
}

pub(crate) async fn update(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::UpdateFunctionUrlConfigInput,
) -> Result<api::UpdateFunctionUrlConfigOutput, Error> {
    let place = Place::of(&caller, &input.function_name, input.qualifier.as_deref())?;
    lambda.functions.get(&place.key).map_err(|_| Error::NoFunctionForUrl)?;
    let updated = lambda.change(&place.key, |function| {
        place.check(function)?;
        let url = function.common.urls.get_mut(&place.alias).ok_or(Error::NoSuchResource)?;
        url.auth = input.auth_type.map_or(url.auth, read_auth);
        url.mode = input.invoke_mode.map_or(url.mode, read_mode);
        if let Some(cors) = input.cors {
            url.cors = read_cors(cors);
        }
        url.modified = caller.now;
        Ok(show(&caller, place.arn(), url))
    });
    let shown = updated.await?;
    Ok(api::UpdateFunctionUrlConfigOutput {
        function_url: shown.function_url,
        function_arn: shown.function_arn,
        auth_type: shown.auth_type,
        cors: shown.cors,
        creation_time: shown.creation_time,
        last_modified_time: shown.last_modified_time,
        invoke_mode: shown.invoke_mode,
    })
}

pub(crate) async fn delete(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::DeleteFunctionUrlConfigInput,
) -> Result<Unit, Error> {
    let place = Place::of(&caller, &input.function_name, input.qualifier.as_deref())?;
    lambda.functions.get(&place.key).map_err(|_| Error::NoSuchResource)?;
    let deleted = lambda.change(&place.key, |function| {
        function.common.urls.remove(&place.alias).map(|_| Unit).ok_or(Error::NoSuchResource)
    });
    deleted.await
}

/// The function or alias that a URL belongs to.
struct Place {
    key: FunctionKey,
    /// Empty for the function itself.
    alias: String,
}

impl Place {
    fn of(caller: &Caller, name: &str, qualifier: Option<&str>) -> Result<Place, Error> {
        let named = name::resolve(caller, name, qualifier)?;
        let alias = named.qualifier.filter(|qualifier| qualifier != LATEST).unwrap_or_default();
        Ok(Place { key: named.key, alias })
    }

    fn arn(&self) -> String {
        self.key.qualified((!self.alias.is_empty()).then_some(&self.alias))
    }

    /// Versions have no URLs.
    fn check(&self, function: &Function) -> Result<(), Error> {
        let known = self.alias.is_empty() || function.common.aliases.contains_key(&self.alias);
        if known { Ok(()) } else { Err(Error::NoFunctionForUrl) }
    }
}

fn show(caller: &Caller, arn: String, url: &FunctionUrl) -> api::FunctionUrlConfig {
    api::FunctionUrlConfig {
        function_url: url.address(&caller.region, &caller.endpoint),
        function_arn: arn,
        creation_time: url.created.iso8601(),
        last_modified_time: url.modified.iso8601(),
        cors: url.cors.as_ref().map(show_cors),
        auth_type: match url.auth {
            AuthType::None => api::FunctionUrlAuthType::None,
            AuthType::AwsIam => api::FunctionUrlAuthType::AwsIam,
        },
        invoke_mode: Some(match url.mode {
            Mode::Buffered => api::InvokeMode::Buffered,
            Mode::ResponseStream => api::InvokeMode::ResponseStream,
        }),
    }
}

fn read_auth(auth: api::FunctionUrlAuthType) -> AuthType {
    match auth {
        api::FunctionUrlAuthType::None => AuthType::None,
        api::FunctionUrlAuthType::AwsIam => AuthType::AwsIam,
    }
}

fn read_mode(mode: api::InvokeMode) -> Mode {
    match mode {
        api::InvokeMode::Buffered => Mode::Buffered,
        api::InvokeMode::ResponseStream => Mode::ResponseStream,
    }
}

/// Nothing set is no configuration: so one is taken away again.
fn read_cors(cors: api::Cors) -> Option<Cors> {
    let cors = Cors {
        allow_credentials: cors.allow_credentials,
        allow_headers: cors.allow_headers,
        allow_methods: cors.allow_methods,
        allow_origins: cors.allow_origins,
        expose_headers: cors.expose_headers,
        max_age_seconds: cors.max_age,
    };
    (cors != Cors::default()).then_some(cors)
}

fn show_cors(cors: &Cors) -> api::Cors {
    api::Cors {
        allow_credentials: cors.allow_credentials,
        allow_headers: cors.allow_headers.clone(),
        allow_methods: cors.allow_methods.clone(),
        allow_origins: cors.allow_origins.clone(),
        expose_headers: cors.expose_headers.clone(),
        max_age: cors.max_age_seconds,
    }
}
