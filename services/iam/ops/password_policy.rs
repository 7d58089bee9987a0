//! `GetAccountPasswordPolicy`, `UpdateAccountPasswordPolicy`, `DeleteAccountPasswordPolicy`.

use std::sync::Arc;

use kit::Caller;
use model::iam as api;
use wire::Unit;

use crate::{Error, Iam, password::PasswordPolicy};

/// The shortest password of a policy that does not say.
const MINIMUM_LENGTH: i32 = 6;

pub(crate) async fn get(
    iam: Arc<Iam>,
    caller: Caller,
    _input: api::GetAccountPasswordPolicyInput,
) -> Result<api::GetAccountPasswordPolicyOutput, Error> {
    let account = iam.account(caller.account);
    let policy = account.settings.password_policy.as_ref();
    let policy = policy.ok_or_else(|| Error::NoPasswordPolicy(caller.account.to_string()))?;
    let password_policy = api::PasswordPolicy {
        minimum_password_length: Some(policy.minimum_length),
        require_symbols: Some(policy.symbols),
        require_numbers: Some(policy.numbers),
        require_uppercase_characters: Some(policy.uppercase),
        require_lowercase_characters: Some(policy.lowercase),
        allow_users_to_change_password: Some(policy.users_change),
        expire_passwords: Some(policy.max_age_days.is_some()),
        max_password_age: policy.max_age_days,
        password_reuse_prevention: policy.reuse_prevention,
        hard_expiry: policy.hard_expiry,
    };
    Ok(api::GetAccountPasswordPolicyOutput { password_policy })
}

/// What is left out is set to its default, whatever it was.
pub(crate) async fn update(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::UpdateAccountPasswordPolicyInput,
) -> Result<Unit, Error> {
    let policy = PasswordPolicy {
        minimum_length: input.minimum_password_length.unwrap_or(MINIMUM_LENGTH),
        symbols: input.require_symbols.unwrap_or_default(),
        numbers: input.require_numbers.unwrap_or_default(),
        uppercase: input.require_uppercase_characters.unwrap_or_default(),
        lowercase: input.require_lowercase_characters.unwrap_or_default(),
        users_change: input.allow_users_to_change_password.unwrap_or_default(),
        max_age_days: input.max_password_age,
        reuse_prevention: input.password_reuse_prevention,
        hard_expiry: input.hard_expiry,
    };
    let updated = iam.change(caller.account, |draft| {
        draft.modify_settings(|settings| {
            settings.password_policy = Some(policy);
            Ok(Unit)
        })
    });
    updated.await
}

pub(crate) async fn delete(
    iam: Arc<Iam>,
    caller: Caller,
    _input: api::DeleteAccountPasswordPolicyInput,
) -> Result<Unit, Error> {
    let deleted = iam.change(caller.account, |draft| {
        draft.modify_settings(|settings| {
            settings.password_policy.take().ok_or(Error::NoPasswordPolicyToDelete)?;
            Ok(Unit)
        })
    });
    deleted.await
}
