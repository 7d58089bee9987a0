//! Identity and access management: users, groups, roles, policies and the access keys that sign
//! requests. IAM is global: everything belongs to an account, the region does not matter.
//!
//! Read in this order: `resource` (what all kinds share), `user`, `group`, `role`, `policy`,
//! `instance_profile`, `oidc_provider`, `saml_provider` (the kinds), `password`, `grants` and `document` (policies on identities, and whether a
//! text is a policy), `account` (an account at one moment), `change` (how it becomes the next),
//! `store` (rows), `managed` (AWS's own policies), `keys` (signature checks), `evaluate` (what
//! policies decide), `authority` (of real calls), `record` (what becomes of those decisions),
//! `simulate` (of calls that nobody makes), `credential_report` and `advisor` (what is known of use),
//! `table` with `told` (what each operation needs permission for) and `ops`.
//!
//! Invariants: all state is in memory and every change of it was durable first; only `change` makes
//! changes, one at a time. Secrets are in rows and in answers to who made the key, never in logs.
//! Documents are kept as they were sent.

mod account;
mod advisor;
mod authority;
mod change;
mod credential_report;
mod document;
mod error;
mod evaluate;
mod grants;
mod group;
mod instance_profile;
mod keys;
mod last_used;
mod limits;
mod managed;
mod mfa_device;
mod oidc_provider;
mod ops;
mod page;
mod password;
mod picture;
mod policy;
mod ports;
mod record;
mod resource;
mod role;
mod saml_provider;
mod shelf;
mod simulate;
mod store;
mod table;
mod tags;
mod told;
mod totp;
mod user;
mod view;
mod worker;

use std::sync::{
    Arc, PoisonError, RwLock, Weak,
    atomic::{AtomicU64, Ordering},
};

use ::store::{ReadError, Store};
use bus::Directory;
use kit::{AccountId, Clock};

use crate::{
    account::Account,
    advisor::Jobs,
    authority::{Documents, Grantees},
    change::{Changed, Draft},
    credential_report::Reports,
    last_used::Uses,
    mfa_device::UsedCodes,
    store::Accounts,
    worker::Worker,
};

pub use crate::{
    error::Error,
    keys::RootKey,
    limits::Quota,
    record::{Audit, Explained, Mode, OpenError, Suggested, Wanted},
};

/// The service and what it needs.
pub struct Iam {
    store: Store,
    clock: Clock,
    /// Weak, since the directory holds IAM.
    directory: Weak<Directory>,
    accounts: RwLock<Accounts>,
    grantees: Grantees,
    documents: Documents,
    /// Held while a change is decided and made durable: the next one starts from its outcome.
    turn: tokio::sync::Mutex<()>,
    uses: Uses,
    reports: Reports,
    jobs: Jobs,
    worker: Worker,
    used_codes: UsedCodes,
    /// Counts changes.
    edition: AtomicU64,
}

impl Iam {
    /// Reads everything, offers [`bus::Identities`] and starts the background work.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn open(
        store: Store,
        directory: &Arc<Directory>,
        clock: Clock,
    ) -> Result<Arc<Iam>, ReadError> {
        let accounts = RwLock::new(store::load(&store).await?);
        let uses = Uses::new(store::load_last_used(&store).await?);
        let turn = tokio::sync::Mutex::new(());
        let worker = Worker::default();
        let iam = Arc::new(Iam {
            store,
            clock,
            directory: Arc::downgrade(directory),
            accounts,
            grantees: Grantees::default(),
            documents: Documents::default(),
            turn,
            uses,
            reports: Reports::default(),
            jobs: Jobs::default(),
            worker,
            used_codes: UsedCodes::default(),
            edition: AtomicU64::new(0),
        });
        directory.offer_identities(iam.clone());
        directory.offer_policies("iam", iam.clone());
        iam.start();
        Ok(iam)
    }

    /// Every operation this service answers.
    pub fn table(self: &Arc<Self>) -> wire::Table {
        table::table(self)
    }

    /// An account as it is now.
    fn account(&self, id: AccountId) -> Arc<Account> {
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        accounts.get(&id).cloned().unwrap_or_else(|| Arc::new(Account::new(id)))
    }

    /// Changes an account: `decide` works on a draft, which is made durable and then seen by all.
    /// When it fails nothing has changed.
    async fn change<R>(
        &self,
        id: AccountId,
        decide: impl FnOnce(&mut Draft) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let _turn = self.turn.lock().await;
        let mut draft = Draft::new(&self.account(id));
        let answer = decide(&mut draft)?;
        let Changed { account, batch, gone } = draft.finish();
        self.store.commit(batch).await?;
        self.uses.forget(&gone);
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        accounts.insert(id, Arc::new(account));
        self.edition.fetch_add(1, Ordering::Release);
        Ok(answer)
    }
}
