//! Credential reports: what an account's users can sign in and sign requests with, as a table. They
//! are kept in memory: after a restart, as after four hours, a new one is to be made.
//!
//! Source: "Generate credential reports for your AWS account" of the IAM user guide.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use kit::{AccountId, Millis};

use crate::{
    account::Account,
    last_used::Uses,
    limits::{ACCESS_KEYS_PER_USER, REPORT_SECONDS},
    resource::Kind,
    user::{AccessKey, User},
};

const COLUMNS: &str = "user,arn,user_creation_time,password_enabled,password_last_used,\
    password_last_changed,password_next_rotation,mfa_active,access_key_1_active,\
    access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,\
    access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
    access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,\
    cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated";
const NONE: &str = "N/A";
const NO: &str = "false";

/// A report as it was made.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) made: Millis,
    pub(crate) text: String,
}

impl Report {
    /// Whether it is still shown.
    pub(crate) fn is_fresh(&self, now: Millis) -> bool {
        now.since(self.made) < REPORT_SECONDS * 1000
    }
}

/// The last report of each account.
#[derive(Default)]
pub(crate) struct Reports(Mutex<HashMap<AccountId, Report>>);

impl Reports {
    pub(crate) fn get(&self, account: AccountId) -> Option<Report> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&account).cloned()
    }

    pub(crate) fn put(&self, account: AccountId, report: Report) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(account, report);
    }
}

/// The report of an account as it is now.
pub(crate) fn text(account: &Account, uses: &Uses) -> String {
    let root = root(account, uses);
    let users = account.users.iter().map(|user| line(account, user, uses));
    let lines = std::iter::once(COLUMNS.to_owned()).chain(std::iter::once(root)).chain(users);
    lines.collect::<Vec<_>>().join("\n")
}

/// The account itself, which has neither password nor certificate here.
fn root(account: &Account, uses: &Uses) -> String {
    let arn = format!("arn:aws:iam::{}:root", account.id);
    let keys = &account.settings.root_keys;
    let created = keys.iter().map(|key| key.created).min().unwrap_or_default();
    let mut cells = vec!["<root_account>".to_owned(), arn, moment(created)];
    let password = ["not_supported", "no_information", "not_supported", "not_supported", NO];
    cells.extend(password.map(str::to_owned));
    cells.extend(key_cells(keys, uses));
    cells.join(",")
}

fn line(account: &Account, user: &User, uses: &Uses) -> String {
    let arn = user.arn(account.id).to_string();
    let mut cells = vec![user.name().to_owned(), arn, moment(user.resource.created)];
    let policy = account.settings.password_policy.as_ref();
    cells.extend(match &user.login {
        Some(login) => {
            let expiry = policy.and_then(|policy| policy.expiry(login.changed));
            let rotation = expiry.map_or_else(|| NONE.to_owned(), moment);
            // Nobody signs in with a password here.
            let never = "no_information".to_owned();
            ["true".to_owned(), never, moment(login.changed), rotation]
        }
        None => [NO, NONE, NONE, NONE].map(str::to_owned),
    });
    cells.push(account.mfa_devices_of(user).next().is_some().to_string());
    cells.extend(key_cells(&user.keys, uses));
    cells.join(",")
}

/// The cells of two access keys and of certificates, of which there are none.
fn key_cells(keys: &[AccessKey], uses: &Uses) -> Vec<String> {
    let mut cells = Vec::new();
    for at in 0..ACCESS_KEYS_PER_USER.limit {
        let key = keys.get(at);
        cells.push(key.is_some_and(|key| key.active).to_string());
        cells.push(key.map_or_else(|| NONE.to_owned(), |key| moment(key.created)));
        let used = key.and_then(|key| uses.get(&key.id));
        cells.extend(match used {
            Some(used) => [moment(used.at), used.region, used.service],
            None => [NONE, NONE, NONE].map(str::to_owned),
        });
    }
    cells.extend([NO, NONE, NO, NONE].map(str::to_owned));
    cells
}

fn moment(moment: Millis) -> String {
    // With an offset, as the report's times are.
    moment.iso8601_seconds().replace('Z', "+00:00")
}
