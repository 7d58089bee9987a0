//! The operations on event source mappings, one file each, and what they share: `source` (what a
//! mapping polls), `settings` (what may be set of it), `view` (how answers show it).

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
mod settings;
mod source;
pub(crate) mod tags;
pub(crate) mod update;
mod view;

use kit::{Arn, Caller};

use crate::{
    Error, Lambda,
    functions::Runnable,
    name,
    sources::{
        Seen,
        mapping::{Mapping, State},
    },
};

/// The ARN of a mapping.
pub(crate) fn arn(caller: &Caller, id: &str) -> Arn {
    caller.arn("lambda", format!("event-source-mapping:{id}"))
}

/// The mapping of an id, if it is the caller's.
fn find(lambda: &Lambda, caller: &Caller, id: &str) -> Result<Seen, Error> {
    let seen = lambda.sources.get(id);
    seen.filter(|it| it.mapping.account == caller.account && it.mapping.region == caller.region)
        .ok_or(Error::NoSuchMapping)
}

/// The function that a mapping is to run.
fn function(lambda: &Lambda, caller: &Caller, name: &str) -> Result<Runnable, Error> {
    let named =
        name::own(caller, name, None).and_then(|_| lambda.functions.named(caller, name, None));
    let function = named.map_err(|error| match error {
        Error::NoSuchFunction(_) => Error::InvalidParameter("Function does not exist".to_owned()),
        error => error,
    })?;
    function.check_no_tenants("An event source mapping")?;
    Ok(function)
}

/// A source fires one version of a function through one mapping only.
fn refuse_twin(lambda: &Lambda, mapping: &Mapping) -> Result<(), Error> {
    let twin = lambda.sources.list(None).into_iter().find(|seen| {
        seen.state != State::Deleting
            && seen.mapping.id != mapping.id
            && seen.mapping.source == mapping.source
            && seen.mapping.function_arn == mapping.function_arn
    });
    let Some(twin) = twin else { return Ok(()) };
    let (source, function) = (twin.mapping.source.to_string(), twin.mapping.function.clone());
    let id = twin.mapping.id.clone();
    Err(match twin.mapping.stream {
        Some(_) => Error::StreamMappingExists { source_arn: source, function, id },
        None => Error::QueueMappingExists { source_arn: source, function, id },
    })
}
