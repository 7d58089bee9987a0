//! `CreateLoginProfile`, `GetLoginProfile`, `UpdateLoginProfile`, `DeleteLoginProfile`,
//! `ChangePassword`. Nobody signs in here with a password; it is checked and kept as AWS would.

use std::sync::Arc;

use kit::{Caller, PrincipalKind};
use model::iam as api;
use wire::Unit;

use super::users::own_name;
use crate::{
    Error, Iam,
    account::Account,
    password::{self, Login},
    resource::Kind,
    user::User,
};

pub(crate) async fn create(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::CreateLoginProfileInput,
) -> Result<api::CreateLoginProfileOutput, Error> {
    let account = iam.account(caller.account);
    let user = account.find::<User>(&user_name(&caller, input.user_name)?)?;
    let password = input.password.unwrap_or_default();
    password::check(account.settings.password_policy.as_ref(), &password)?;
    let reset = input.password_reset_required.unwrap_or_default();
    let login = hashing(move || Login::new(&password, reset, caller.now)).await?;
    let made = iam.change(caller.account, |draft| {
        draft.modify::<User, _>(user.name(), |user| {
            if user.login.is_some() {
                return Err(Error::LoginExists(user.name().to_owned()));
            }
            user.login = Some(login.clone());
            Ok(())
        })
    });
    made.await?;
    Ok(api::CreateLoginProfileOutput { login_profile: profile(user, &login) })
}

pub(crate) async fn get(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::GetLoginProfileInput,
) -> Result<api::GetLoginProfileOutput, Error> {
    let account = iam.account(caller.account);
    let user = account.find::<User>(&user_name(&caller, input.user_name)?)?;
    Ok(api::GetLoginProfileOutput { login_profile: profile(user, login(user)?) })
}

pub(crate) async fn update(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::UpdateLoginProfileInput,
) -> Result<Unit, Error> {
    let account = iam.account(caller.account);
    let mut login = login(account.find::<User>(&input.user_name)?)?.clone();
    if let Some(password) = input.password {
        login = replaced(&account, login, password, caller.now).await?;
    }
    if let Some(reset) = input.password_reset_required {
        login.reset_required = reset;
    }
    put(&iam, &account, &input.user_name, login).await
}

pub(crate) async fn delete(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::DeleteLoginProfileInput,
) -> Result<Unit, Error> {
    let name = user_name(&caller, input.user_name)?;
    let deleted = iam.change(caller.account, |draft| {
        draft.modify::<User, _>(&name, |user| {
            let gone = user.login.take();
            gone.map(|_| Unit).ok_or_else(|| Error::NoSuchLogin(user.name().to_owned()))
        })
    });
    deleted.await
}

pub(crate) async fn change_password(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ChangePasswordInput,
) -> Result<Unit, Error> {
    if caller.principal.kind != PrincipalKind::User {
        return Err(Error::NotAUser);
    }
    let account = iam.account(caller.account);
    let name = user_name(&caller, None)?;
    let login = login(account.find::<User>(&name)?)?.clone();
    let known = login.clone();
    if !hashing(move || known.is(&input.old_password)).await? {
        return Err(Error::WrongPassword);
    }
    let mut login = replaced(&account, login, input.new_password, caller.now).await?;
    login.reset_required = false;
    put(&iam, &account, &name, login).await
}

/// The login with another password, if the account's rules allow it.
async fn replaced(
    account: &Account,
    login: Login,
    password: String,
    now: kit::Millis,
) -> Result<Login, Error> {
    let policy = account.settings.password_policy.as_ref();
    password::check(policy, &password)?;
    let kept = policy.and_then(|policy| policy.reuse_prevention);
    let kept = kept.and_then(|count| usize::try_from(count).ok()).unwrap_or_default();
    let replaced = hashing(move || {
        let used = login.was(&password, kept);
        (!used).then(|| login.changed(&password, now))
    });
    replaced.await?.ok_or(Error::PasswordReused)
}

async fn put(iam: &Iam, account: &Account, name: &str, login: Login) -> Result<Unit, Error> {
    let put = iam.change(account.id, |draft| {
        draft.modify::<User, _>(name, |user| {
            if user.login.is_none() {
                return Err(Error::NoSuchLogin(user.name().to_owned()));
            }
            user.login = Some(login);
            Ok(Unit)
        })
    });
    put.await
}

/// Hashing is slow by design: it must not hold up other requests.
async fn hashing<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Result<R, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::HashingFailed)
}

fn login(user: &User) -> Result<&Login, Error> {
    user.login.as_ref().ok_or_else(|| Error::NoSuchLogin(user.name().to_owned()))
}

/// The user that a request is about: the one it names, else the caller.
fn user_name(caller: &Caller, given: Option<String>) -> Result<String, Error> {
    own_name(caller, given)?.ok_or(Error::UserNameNeeded)
}

fn profile(user: &User, login: &Login) -> api::LoginProfile {
    api::LoginProfile {
        user_name: user.name().to_owned(),
        create_date: login.created,
        password_reset_required: Some(login.reset_required),
    }
}
