//! A change of an account: made on a draft, durable in one transaction, then seen by all.

use ::store::Batch;

use crate::{
    Error,
    account::{Account, Settings},
    resource::Kind,
    store as rows,
};

/// An account being changed.
pub(crate) struct Draft {
    account: Account,
    batch: Batch,
    /// Ids of keys and roles that are gone.
    gone: Vec<String>,
}

/// What a draft comes to.
pub(crate) struct Changed {
    pub(crate) account: Account,
    pub(crate) batch: Batch,
    pub(crate) gone: Vec<String>,
}

impl Draft {
    pub(crate) fn new(account: &Account) -> Draft {
        Draft { account: account.clone(), batch: Batch::new(), gone: Vec::new() }
    }

    /// The account with the changes so far.
    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    /// Adds a resource under a name that is free.
    pub(crate) fn add<T: Kind>(&mut self, item: T) -> Result<(), Error> {
        if T::shelf(&self.account).find(item.name()).is_ok() {
            return Err(T::exists(item.name()));
        }
        if T::shelf(&self.account).len() >= T::QUOTA.limit {
            return Err(Error::QuotaExceeded(T::QUOTA));
        }
        self.put(item);
        Ok(())
    }

    /// Changes the resource of this name.
    pub(crate) fn modify<T: Kind, R>(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut T) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let mut item = T::clone(self.account.find::<T>(name)?);
        let answer = change(&mut item)?;
        self.put(item);
        Ok(answer)
    }

    /// Moves a resource to another name, another path or both.
    pub(crate) fn rename<T: Kind>(
        &mut self,
        name: &str,
        new_name: Option<String>,
        new_path: Option<String>,
    ) -> Result<(), Error> {
        let mut item = T::clone(self.account.find::<T>(name)?);
        if let Some(new_name) = new_name {
            let holder = T::shelf(&self.account).find(&new_name);
            if holder.is_ok_and(|holder| holder.id() != item.id()) {
                return Err(T::exists(&new_name));
            }
            T::shelf_mut(&mut self.account).remove(name);
            item.resource_mut().name = new_name;
        }
        if let Some(new_path) = new_path {
            item.resource_mut().path = new_path;
        }
        self.put(item);
        Ok(())
    }

    /// Removes a resource.
    pub(crate) fn remove<T: Kind>(&mut self, item: &T) {
        self.batch.delete(rows::key::<T>(self.account.id, item.id()));
        T::shelf_mut(&mut self.account).remove(item.name());
        self.forget(item.id());
    }

    /// Changes what belongs to the account as such.
    pub(crate) fn modify_settings<R>(
        &mut self,
        change: impl FnOnce(&mut Settings) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let answer = change(&mut self.account.settings)?;
        self.batch.put(rows::settings_key(self.account.id), &self.account.settings);
        Ok(answer)
    }

    /// Drops what was noted about the use of a key or role that is gone.
    pub(crate) fn forget(&mut self, id: &str) {
        self.batch.delete(rows::last_used_key(self.account.id, id));
        self.gone.push(id.to_owned());
    }

    /// The draft as it is to be committed.
    pub(crate) fn finish(mut self) -> Changed {
        self.account.index_keys();
        Changed { account: self.account, batch: self.batch, gone: self.gone }
    }

    fn put<T: Kind>(&mut self, item: T) {
        self.batch.put(rows::key::<T>(self.account.id, item.id()), &item);
        T::shelf_mut(&mut self.account).put(item);
    }
}
