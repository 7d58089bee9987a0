//! Tenant isolation: a function of `TenantIsolationMode` `PER_TENANT` runs for each tenant as if it were
//! a function of that tenant alone, so that no two tenants share an instance.
//!
//! Always true: what a tenant runs differs from what the version runs in its key only, and goes when
//! the version goes. Tenants that no instance serves may be forgotten.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use runtime::Function;

use crate::{Error, functions::Runnable};

/// From this many on, those that no instance serves are forgotten when another one comes.
const TENANTS_KEPT: usize = 1024;

/// What tenants run, by its key.
#[derive(Default)]
pub(crate) struct Tenants {
    runs: Mutex<BTreeMap<String, Arc<Function>>>,
}

impl Runnable {
    /// Whether the function may be invoked for this tenant, or for none.
    pub(crate) fn check_tenant(&self, tenant: Option<&str>) -> Result<(), Error> {
        match (self.per_tenant, tenant) {
            (true, None) => Err(Error::TenantMissing),
            (false, Some(_)) => Err(Error::TenantUnexpected),
            _ => Ok(()),
        }
    }

    /// Refuses what would invoke the function without naming a tenant.
    pub(crate) fn check_no_tenants(&self, what: &'static str) -> Result<(), Error> {
        if self.per_tenant { Err(Error::NotForTenants(what)) } else { Ok(()) }
    }
}

impl Tenants {
    /// What runs of a version for this tenant, or for none.
    pub(crate) fn run(
        &self,
        runnable: &Runnable,
        version: Arc<Function>,
        tenant: Option<&str>,
    ) -> Result<Arc<Function>, Error> {
        runnable.check_tenant(tenant)?;
        let Some(tenant) = tenant else { return Ok(version) };
        let key = format!("{}{tenant}", start(&version.key));
        let mut runs = self.runs();
        if let Some(run) = runs.get(&key) {
            return Ok(run.clone());
        }
        if runs.len() >= TENANTS_KEPT {
            runs.retain(|_, run| Arc::strong_count(run) > 1);
        }
        let run = Arc::new(Function { key: key.clone(), ..Function::clone(&version) });
        runs.insert(key, run.clone());
        Ok(run)
    }

    /// Forgets the tenants of a version, by its key, and tells what they ran.
    pub(crate) fn leave(&self, version: &str) -> Vec<Arc<Function>> {
        let start = start(version);
        let mut runs = self.runs();
        let mut leaving = runs.split_off(&start);
        let behind = leaving.keys().find(|key| !key.starts_with(&start)).cloned();
        if let Some(behind) = behind {
            runs.append(&mut leaving.split_off(&behind));
        }
        leaving.into_values().collect()
    }

    fn runs(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Function>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How the keys of a version's tenants begin.
fn start(version: &str) -> String {
    format!("{version}:tenant:")
}
