//! The access advisor: which services the policies of an identity reach, and when it last asked for
//! them. Known are the services of lampejo and the calls that were checked against policies; what
//! was found is kept in memory.
//!
//! Source: "Refine permissions in AWS using last accessed information" of the IAM user guide.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use kit::{AccountId, Arn, Millis};
use model::iam as api;

use crate::{
    Error,
    account::Account,
    evaluate::Compiled,
    grants::Identity,
    group::Group,
    last_used::{Seen, Uses},
    limits::ACCESS_JOBS,
    resource::Kind,
    role::Role,
    user::User,
};

/// Namespaces and names of the services there are.
const SERVICES: [(&str, &str); 6] = [
    ("iam", "AWS Identity and Access Management"),
    ("lambda", "AWS Lambda"),
    ("logs", "Amazon CloudWatch Logs"),
    ("s3", "Amazon S3"),
    ("sqs", "Amazon SQS"),
    ("sts", "AWS Security Token Service"),
];

/// Whom or what a question is about.
pub(crate) struct Subject {
    policies: Vec<Held>,
    /// Users and roles that have these policies.
    entities: Vec<api::EntityInfo>,
}

/// A policy and who has it.
struct Held {
    shown: api::PolicyGrantingServiceAccess,
    compiled: Compiled,
}

/// What was found out for one question.
pub(crate) struct Job {
    pub(crate) account: AccountId,
    pub(crate) made: Millis,
    pub(crate) granularity: api::AccessAdvisorUsageGranularityType,
    pub(crate) services: Vec<Accessed>,
}

/// One service and who asked for it, the last first.
pub(crate) struct Accessed {
    namespace: &'static str,
    name: &'static str,
    by: Vec<(api::EntityInfo, Option<Seen>)>,
}

/// The last questions and what was found.
#[derive(Default)]
pub(crate) struct Jobs(Mutex<VecDeque<(String, Arc<Job>)>>);

impl Jobs {
    /// Keeps what was found and answers with its id.
    pub(crate) fn keep(&self, job: Job) -> String {
        let id = kit::ids::uuid();
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.truncate(ACCESS_JOBS - 1);
        jobs.push_front((id.clone(), Arc::new(job)));
        id
    }

    /// What was found for an account's question.
    pub(crate) fn find(&self, account: AccountId, id: &str) -> Result<Arc<Job>, Error> {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = jobs.iter().find(|(known, job)| known == id && job.account == account);
        found.map(|(_, job)| job.clone()).ok_or_else(|| Error::NoSuchJob(id.to_owned()))
    }
}

impl Subject {
    /// The user with its groups, the group, the role or the managed policy of this ARN.
    pub(crate) fn of(account: &Account, text: &str) -> Result<Subject, Error> {
        let unknown = || Error::NoSuchEntity(text.to_owned());
        let arn: Arn = text.parse().map_err(|_| unknown())?;
        let (kind, path) = arn.resource().split_once('/').ok_or_else(unknown)?;
        let name = path.rsplit('/').next().unwrap_or_default();
        Ok(match kind {
            "user" => {
                let user = account.find::<User>(name)?;
                let mut policies = held(account, user.as_ref());
                for group in account.groups_of(user) {
                    policies.extend(held(account, group.as_ref()));
                }
                Subject { policies, entities: vec![info(account, user.as_ref())] }
            }
            "role" => {
                let role = account.find::<Role>(name)?.as_ref();
                Subject { policies: held(account, role), entities: vec![info(account, role)] }
            }
            "group" => {
                let group = account.find::<Group>(name)?.as_ref();
                let members = account.members(group).map(|user| info(account, user.as_ref()));
                Subject { policies: held(account, group), entities: members.collect() }
            }
            "policy" => Subject {
                policies: managed(account, text).into_iter().collect(),
                entities: holders(account, account.policy(text).map(|_| text)?),
            },
            _ => return Err(unknown()),
        })
    }

    /// The policies that reach a service.
    pub(crate) fn granting(&self, service: &str) -> Vec<api::PolicyGrantingServiceAccess> {
        let granting = self.policies.iter().filter(|it| it.compiled.grants(service));
        granting.map(|it| it.shown.clone()).collect()
    }

    /// The services that the policies reach, and who asked for them when.
    pub(crate) fn accessed(&self, uses: &Uses) -> Vec<Accessed> {
        let reached = SERVICES.into_iter().filter(|(namespace, _)| {
            self.policies.iter().any(|policy| policy.compiled.grants(namespace))
        });
        let accessed = reached.map(|(namespace, name)| {
            let seen = |info: &api::EntityInfo| {
                let used = uses.get(&info.id);
                (info.clone(), used.and_then(|mut it| it.services.remove(namespace)))
            };
            let mut by: Vec<_> = self.entities.iter().map(seen).collect();
            by.sort_by_key(|(_, seen)| std::cmp::Reverse(seen.as_ref().map(|it| it.at)));
            Accessed { namespace, name, by }
        });
        accessed.collect()
    }
}

impl Accessed {
    /// `s3`
    pub(crate) fn namespace(&self) -> &'static str {
        self.namespace
    }

    /// The service with its last use.
    pub(crate) fn shown(&self) -> api::ServiceLastAccessed {
        let times = self.by.iter().filter(|(_, seen)| seen.is_some()).count();
        let last = self.by.first().and_then(|(info, seen)| Some((info, seen.as_ref()?)));
        api::ServiceLastAccessed {
            service_name: self.name.to_owned(),
            service_namespace: self.namespace.to_owned(),
            last_authenticated: last.map(|(_, seen)| seen.at),
            last_authenticated_entity: last.map(|(info, _)| info.arn.clone()),
            last_authenticated_region: last.map(|(_, seen)| seen.region.clone()),
            total_authenticated_entities: i32::try_from(times).ok(),
            tracked_actions_last_accessed: None,
        }
    }

    /// Who may ask for the service, with the last time that each did.
    pub(crate) fn entities(&self) -> impl Iterator<Item = api::EntityDetails> {
        self.by.iter().map(|(info, seen)| api::EntityDetails {
            entity_info: info.clone(),
            last_authenticated: seen.as_ref().map(|it| it.at),
        })
    }
}

/// The policies of one identity.
fn held<T: Identity>(account: &Account, identity: &T) -> Vec<Held> {
    let grants = identity.grants();
    let inline = grants.inline.iter().map(|(name, document)| Held {
        shown: api::PolicyGrantingServiceAccess {
            policy_name: name.clone(),
            policy_type: api::PolicyType::Inline,
            policy_arn: None,
            entity_type: Some(owner_type(T::WORD)),
            entity_name: Some(identity.name().to_owned()),
        },
        compiled: Compiled::parse(document).unwrap_or_default(),
    });
    let attached = grants.attached.iter().filter_map(|arn| managed(account, arn));
    inline.chain(attached).collect()
}

fn managed(account: &Account, arn: &str) -> Option<Held> {
    let policy = account.policy(arn).ok()?;
    let document = &policy.versions.get(&policy.default)?.document;
    Some(Held {
        shown: api::PolicyGrantingServiceAccess {
            policy_name: policy.name().to_owned(),
            policy_type: api::PolicyType::Managed,
            policy_arn: Some(arn.to_owned()),
            entity_type: None,
            entity_name: None,
        },
        compiled: Compiled::parse(document).unwrap_or_default(),
    })
}

/// Users and roles that a managed policy is attached to, users through their groups too.
fn holders(account: &Account, arn: &str) -> Vec<api::EntityInfo> {
    let users = account.users.iter().filter(|user| {
        let groups = account.groups_of(user);
        let mut attached = groups.iter().map(|group| &group.grants().attached);
        user.grants().attached.contains(arn) || attached.any(|it| it.contains(arn))
    });
    let roles = account.roles.iter().filter(|role| role.grants().attached.contains(arn));
    let users = users.map(|user| info(account, user.as_ref()));
    users.chain(roles.map(|role| info(account, role.as_ref()))).collect()
}

fn info<T: Kind>(account: &Account, identity: &T) -> api::EntityInfo {
    api::EntityInfo {
        arn: identity.arn(account.id).to_string(),
        name: identity.name().to_owned(),
        r#type: owner_type(T::WORD),
        id: identity.id().to_owned(),
        path: Some(identity.path().to_owned()),
    }
}

fn owner_type(word: &str) -> api::PolicyOwnerEntityType {
    match word {
        "role" => api::PolicyOwnerEntityType::Role,
        "group" => api::PolicyOwnerEntityType::Group,
        _ => api::PolicyOwnerEntityType::User,
    }
}
