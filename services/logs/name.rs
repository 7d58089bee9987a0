//! Names and ARNs of groups and streams.

use kit::{Arn, Caller};

use crate::{Error, error::Invalid};

/// A group's ARN as tags and identifiers take it.
pub(crate) fn group_arn(caller: &Caller, group: &str) -> Arn {
    caller.arn("logs", format_args!("log-group:{group}"))
}

/// What permission for a group's operations is asked for: the ARN of a stream without a name, as
/// AWS's refusals show.
pub(crate) fn group_access(caller: &Caller, group: &str) -> Arn {
    stream_arn(caller, group, "")
}

/// A stream's ARN.
pub(crate) fn stream_arn(caller: &Caller, group: &str, stream: &str) -> Arn {
    caller.arn("logs", format_args!("log-group:{group}:log-stream:{stream}"))
}

/// The group's name in an identifier, which is a name or an ARN.
pub(crate) fn of_identifier(identifier: &str) -> &str {
    let resource = identifier.splitn(6, ':').nth(5).unwrap_or(identifier);
    let name = resource.strip_prefix("log-group:").unwrap_or(resource);
    name.strip_suffix(":*").unwrap_or(name)
}

/// The group that a request names by exactly one of two members.
pub(crate) fn of_either<'a>(
    name: Option<&'a str>,
    identifier: Option<&'a str>,
) -> Result<&'a str, Invalid> {
    match (name, identifier) {
        (Some(name), None) => Ok(name),
        (None, Some(identifier)) => Ok(of_identifier(identifier)),
        _ => Err(Invalid::GroupOnce),
    }
}

/// The group of an ARN, with or without `:*`; it must be of the caller's account and region.
pub(crate) fn of_arn<'a>(caller: &Caller, arn: &'a str) -> Result<&'a str, Error> {
    let parsed: Arn = arn.parse().map_err(|_| Invalid::ResourceArn)?;
    if parsed.service() != "logs" || !parsed.resource().starts_with("log-group:") {
        return Err(Invalid::ResourceArn.into());
    }
    let name = of_identifier(arn);
    if group_arn(caller, name).as_str() != arn.strip_suffix(":*").unwrap_or(arn) {
        return Err(Error::GroupNotFound);
    }
    Ok(name)
}
