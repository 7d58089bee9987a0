//! The condition keys of a call.
//!
//! Source: "AWS global condition context keys" of the IAM user guide.

use std::{borrow::Cow, sync::Arc};

use bus::ResourcePolicies;
use kit::{AccountId, Arn, Attempt, PrincipalKind, Service, Tags};

use crate::evaluate::Facts;

/// What a call says of condition keys, found out only when a policy asks.
pub(crate) struct CallFacts<'a> {
    pub(crate) attempt: &'a Attempt<'a>,
    /// Of a session, its role.
    pub(crate) role: Option<&'a str>,
    pub(crate) resource: Option<&'a Arn>,
    /// Who keeps the resource and knows its tags.
    pub(crate) keeper: Option<&'a Arc<dyn ResourcePolicies>>,
    /// Whose the resource is.
    pub(crate) owner: AccountId,
    /// Of the user or the role.
    pub(crate) tags: &'a Tags,
}

impl Facts for CallFacts<'_> {
    /// What a service tells of its request goes before what holds for all: a second factor that is
    /// proved by the call itself.
    fn values(&self, key: &str) -> Option<Vec<Cow<'_, str>>> {
        let mut own = self.attempt.keys.iter();
        if let Some((_, values)) = own.find(|(name, _)| name.eq_ignore_ascii_case(key)) {
            return Some(values.iter().map(|value| Cow::Borrowed(value.as_str())).collect());
        }
        if let Some(tag) = resource_tag(key) {
            return self.resource_tag(tag).map(|value| vec![value]);
        }
        let of_caller = match &self.attempt.service {
            Some(service) => of_service(service, key),
            None => self.of_caller(key),
        };
        let value = of_caller.or_else(|| self.of_call(key));
        let value = value.or_else(|| self.keeper?.fact(self.resource?, key).map(Cow::Owned));
        value.map(|value| vec![value])
    }
}

/// The tag that a key for tags of resources names. IAM and S3 have words of their own for it.
fn resource_tag(key: &str) -> Option<&str> {
    let (word, tag) = key.split_once('/')?;
    ["aws:resourcetag", "iam:resourcetag"].contains(&word).then_some(tag)
}

impl CallFacts<'_> {
    /// What holds whoever calls.
    fn of_call(&self, key: &str) -> Option<Cow<'_, str>> {
        let caller = self.attempt.caller;
        let flag = |yes: bool| Cow::Borrowed(if yes { "true" } else { "false" });
        Some(match key.strip_prefix("aws:")? {
            "currenttime" => Cow::Owned(caller.now.iso8601_seconds()),
            "epochtime" => Cow::Owned(caller.now.seconds().to_string()),
            // What the server does for itself goes over no wire.
            "securetransport" => {
                flag(caller.endpoint.is_empty() || caller.endpoint.starts_with("https:"))
            }
            "requestedregion" => Cow::Owned(self.region().to_owned()),
            "viaawsservice" | "principalisawsservice" => flag(false),
            "resourceaccount" if self.resource.is_some() => Cow::Owned(self.owner.to_string()),
            _ => return None,
        })
    }

    fn of_caller(&self, key: &str) -> Option<Cow<'_, str>> {
        let caller = self.attempt.caller;
        let principal = &caller.principal;
        let kind = principal.kind;
        let temporary = caller.session.is_some();
        let text = |text: &str| Cow::Owned(text.to_owned());
        let flag = |yes: bool| Cow::Borrowed(if yes { "true" } else { "false" });
        if let Some(tag) = key.strip_prefix("aws:principaltag/") {
            return self.principal_tag(tag);
        }
        if key == "lambda:sourcefunctionarn" {
            return caller.session.as_ref()?.function.as_ref().map(|it| text(it.as_str()));
        }
        Some(match key.strip_prefix("aws:")? {
            "sourceip" if !caller.source_ip.is_empty() => text(&caller.source_ip),
            "useragent" if !caller.user_agent.is_empty() => text(&caller.user_agent),
            "referer" if !caller.referer.is_empty() => text(&caller.referer),
            "principaltype" => Cow::Borrowed(type_name(kind)),
            "userid" => text(&principal.user_id),
            _ if kind == PrincipalKind::Anonymous => return None,
            "principalarn" => text(self.role.unwrap_or(principal.arn.as_str())),
            "principalaccount" => text(principal.arn.account()),
            "username" if kind == PrincipalKind::User => text(name(principal.arn.resource())),
            // Long-term keys do not say so.
            "multifactorauthpresent" if temporary => {
                flag(caller.session.as_ref().is_some_and(|session| session.proved.is_some()))
            }
            "multifactorauthage" => {
                let proved = caller.session.as_ref()?.proved?;
                Cow::Owned((caller.now.seconds().saturating_sub(proved.seconds())).to_string())
            }
            "tokenissuetime" => Cow::Owned(caller.session.as_ref()?.began?.iso8601_seconds()),
            "federatedprovider" => text(caller.session.as_ref()?.provider.as_ref()?),
            "sourceidentity" => text(caller.session.as_ref()?.source_identity.as_ref()?),
            _ => return None,
        })
    }

    /// Where the request goes. Services that are everywhere are reached in `us-east-1`.
    fn region(&self) -> &str {
        match self.attempt.action.split_once(':') {
            Some(("iam", _)) => "us-east-1",
            _ => self.attempt.caller.region.as_str(),
        }
    }

    fn resource_tag(&self, wanted: &str) -> Option<Cow<'_, str>> {
        let tags = self.keeper?.tags(self.resource?);
        let mut fitting = tags.into_iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        fitting.next().map(|(_, value)| Cow::Owned(value))
    }

    /// A session's tags go over those of its role.
    fn principal_tag(&self, wanted: &str) -> Option<Cow<'_, str>> {
        let session = self.attempt.caller.session.as_ref();
        let all = session.into_iter().flat_map(|it| &it.tags).chain(self.tags);
        let mut fitting = all.filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        fitting.next().map(|(_, value)| Cow::Borrowed(value.as_str()))
    }
}

/// The condition keys of a service that acts for itself.
fn of_service<'a>(service: &Service<'a>, key: &str) -> Option<Cow<'a, str>> {
    Some(match key {
        "aws:sourcearn" => Cow::Borrowed(service.source?.as_str()),
        "aws:sourceaccount" => Cow::Owned(service.account?.to_string()),
        "aws:principalservicename" | "aws:principalservicenameslist" => Cow::Borrowed(service.name),
        "aws:principalisawsservice" => Cow::Borrowed("true"),
        _ => return None,
    })
}

fn name(resource: &str) -> &str {
    resource.rsplit('/').next().unwrap_or_default()
}

fn type_name(kind: PrincipalKind) -> &'static str {
    match kind {
        PrincipalKind::Root => "Account",
        PrincipalKind::User => "User",
        PrincipalKind::AssumedRole => "AssumedRole",
        PrincipalKind::FederatedUser => "FederatedUser",
        PrincipalKind::Anonymous => "Anonymous",
    }
}
