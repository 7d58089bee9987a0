//! `CreateAccessKey`, `DeleteAccessKey`, `ListAccessKeys`, `UpdateAccessKey`,
//! `GetAccessKeyLastUsed`. Without a user's name they are about the caller's own keys.

use std::sync::Arc;

use kit::Caller;
use model::iam as api;
use wire::Unit;

use super::users::own_name;
use crate::{
    Error, Iam,
    account::Owner,
    change::Draft,
    limits::ACCESS_KEYS_PER_USER,
    page::Wanted,
    resource::Kind,
    user::{AccessKey, User},
    view,
};

pub(crate) async fn create(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::CreateAccessKeyInput,
) -> Result<api::CreateAccessKeyOutput, Error> {
    let name = own_name(&caller, input.user_name)?;
    let key = AccessKey::new(caller.account, caller.now);
    let made = iam.change(caller.account, |draft| {
        change_keys(draft, name.as_deref(), |keys| {
            if keys.len() >= ACCESS_KEYS_PER_USER.limit {
                return Err(Error::QuotaExceeded(ACCESS_KEYS_PER_USER));
            }
            keys.push(key.clone());
            Ok(())
        })
    });
    let user_name = made.await?;
    let access_key = api::AccessKey {
        user_name,
        status: view::key_status(&key),
        access_key_id: key.id,
        secret_access_key: key.secret,
        create_date: Some(key.created),
    };
    Ok(api::CreateAccessKeyOutput { access_key })
}

pub(crate) async fn delete(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::DeleteAccessKeyInput,
) -> Result<Unit, Error> {
    let name = own_name(&caller, input.user_name)?;
    let id = input.access_key_id;
    let deleted = iam.change(caller.account, |draft| {
        change_keys(draft, name.as_deref(), |keys| {
            let at = position(keys, &id)?;
            keys.remove(at);
            Ok(())
        })?;
        draft.forget(&id);
        Ok(Unit)
    });
    deleted.await
}

pub(crate) async fn update(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::UpdateAccessKeyInput,
) -> Result<Unit, Error> {
    let name = own_name(&caller, input.user_name)?;
    let updated = iam.change(caller.account, |draft| {
        change_keys(draft, name.as_deref(), |keys| {
            let at = position(keys, &input.access_key_id)?;
            keys[at].active = input.status == api::StatusType::Active;
            Ok(())
        })
    });
    updated.await.map(|_| Unit)
}

pub(crate) async fn list(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListAccessKeysInput,
) -> Result<api::ListAccessKeysOutput, Error> {
    let account = iam.account(caller.account);
    let (name, keys) = match own_name(&caller, input.user_name)? {
        Some(name) => {
            let user = account.find::<User>(&name)?;
            (user.name(), &user.keys)
        }
        None => ("", &account.settings.root_keys),
    };
    let mut keys: Vec<_> = keys.iter().collect();
    keys.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    let page = Wanted::new(input.marker, input.max_items)
        .of(keys.into_iter().map(|key| (key.id.clone(), view::key_metadata(name, key))))?;
    Ok(api::ListAccessKeysOutput {
        access_key_metadata: page.items,
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

pub(crate) async fn last_used(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::GetAccessKeyLastUsedInput,
) -> Result<api::GetAccessKeyLastUsedOutput, Error> {
    let account = iam.account(caller.account);
    let Some(owner) = account.owner(&input.access_key_id) else {
        // AWS does not tell keys of other accounts from keys that do not exist.
        let caller = caller.principal.arn.to_string();
        return Err(Error::ForeignAccessKey { caller, key: input.access_key_id });
    };
    let user_name = match owner {
        Owner::Root => None,
        Owner::User(name) => Some(name.clone()),
    };
    let used = iam.uses.get(&input.access_key_id);
    let last_used_date = used.as_ref().map(|it| it.at);
    let unused = || "N/A".to_owned();
    let (service_name, region) =
        used.map_or_else(|| (unused(), unused()), |it| (it.service, it.region));
    Ok(api::GetAccessKeyLastUsedOutput {
        user_name,
        access_key_last_used: Some(api::AccessKeyLastUsed { last_used_date, service_name, region }),
    })
}

/// Changes the keys of a user, or of the account itself, and answers with the user's name.
fn change_keys(
    draft: &mut Draft,
    user: Option<&str>,
    change: impl FnOnce(&mut Vec<AccessKey>) -> Result<(), Error>,
) -> Result<String, Error> {
    match user {
        Some(name) => draft.modify::<User, _>(name, |user| {
            change(&mut user.keys)?;
            Ok(user.name().to_owned())
        }),
        None => draft.modify_settings(|settings| {
            change(&mut settings.root_keys)?;
            Ok(String::new())
        }),
    }
}

fn position(keys: &[AccessKey], id: &str) -> Result<usize, Error> {
    let at = keys.iter().position(|key| key.id == id);
    at.ok_or_else(|| Error::NoSuchAccessKey(id.to_owned()))
}
