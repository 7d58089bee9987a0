//! How IAM lies in the store: one row per resource, keyed by account and id, plus the account's own
//! row and what is known of the use of keys and roles. Nothing else knows keys.

use std::{collections::HashMap, sync::Arc};

use ::store::{Key, ReadError, Store};
use kit::AccountId;

use crate::{
    account::{Account, Settings},
    group::Group,
    instance_profile::InstanceProfile,
    last_used::LastUsed,
    mfa_device::MfaDevice,
    oidc_provider::OidcProvider,
    policy::Policy,
    resource::Kind,
    role::Role,
    saml_provider::SamlProvider,
    user::User,
};

const ACCOUNTS: &str = "iam/account";
const LAST_USED: &str = "iam/last-used";

/// The accounts by id.
pub(crate) type Accounts = HashMap<AccountId, Arc<Account>>;

/// The row of a resource.
pub(crate) fn key<T: Kind>(account: AccountId, id: &str) -> Key {
    Key::table(T::TABLE).text(account.as_str()).text(id)
}

/// The row of an account.
pub(crate) fn settings_key(account: AccountId) -> Key {
    Key::table(ACCOUNTS).text(account.as_str())
}

/// The row about the use of a key or role.
pub(crate) fn last_used_key(account: AccountId, id: &str) -> Key {
    Key::table(LAST_USED).text(account.as_str()).text(id)
}

/// Reads everything.
pub(crate) async fn load(store: &Store) -> Result<Accounts, ReadError> {
    let mut accounts = HashMap::new();
    load_kind::<User>(store, &mut accounts).await?;
    load_kind::<Group>(store, &mut accounts).await?;
    load_kind::<Role>(store, &mut accounts).await?;
    load_kind::<Policy>(store, &mut accounts).await?;
    load_kind::<InstanceProfile>(store, &mut accounts).await?;
    load_kind::<OidcProvider>(store, &mut accounts).await?;
    load_kind::<SamlProvider>(store, &mut accounts).await?;
    load_kind::<MfaDevice>(store, &mut accounts).await?;
    let table = Key::table(ACCOUNTS);
    store
        .scan::<Settings>(&table, |key, settings| {
            if let Some(account) = account_in(&key, &table) {
                draft(&mut accounts, account).settings = settings;
            }
        })
        .await?;
    accounts.values_mut().for_each(Account::index_keys);
    Ok(accounts.into_iter().map(|(id, account)| (id, Arc::new(account))).collect())
}

/// Reads what is known of the use of keys and roles, by id.
pub(crate) async fn load_last_used(
    store: &Store,
) -> Result<HashMap<String, (AccountId, LastUsed)>, ReadError> {
    let mut uses = HashMap::new();
    let table = Key::table(LAST_USED);
    store
        .scan::<LastUsed>(&table, |key, last_used| {
            let Some(account) = account_in(&key, &table) else { return };
            let row = table.clone().text(account.as_str());
            if let Some(id) = key.text_after(&row) {
                uses.insert(id, (account, last_used));
            }
        })
        .await?;
    Ok(uses)
}

async fn load_kind<T: Kind>(
    store: &Store,
    accounts: &mut HashMap<AccountId, Account>,
) -> Result<(), ReadError> {
    let table = Key::table(T::TABLE);
    store
        .scan::<T>(&table, |key, item| {
            if let Some(account) = account_in(&key, &table) {
                T::shelf_mut(draft(accounts, account)).put(item);
            }
        })
        .await
}

fn draft(accounts: &mut HashMap<AccountId, Account>, id: AccountId) -> &mut Account {
    accounts.entry(id).or_insert_with(|| Account::new(id))
}

fn account_in(key: &Key, table: &Key) -> Option<AccountId> {
    key.text_after(table)?.parse().ok()
}
