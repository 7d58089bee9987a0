//! Tenant isolation: a function of `TenantIsolationMode` `PER_TENANT` runs for each tenant as if it were
//! a function of that tenant alone, so that no two tenants share an instance.
//!
//! Always true: what a tenant runs differs from what the version runs in its key only, and goes when
//! the version goes. Who has no instance any more may be forgotten.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use runtime::Function;

use crate::{Error, functions::Runnable};

/// From this many on, tenants without an instance are forgotten when another one comes.
const TENANTS_KEPT: usize = 1024;

/// What tenants run, by version and tenant.
#[derive(Default)]
pub(crate) struct Tenants {
    runs: Mutex<HashMap<String, HashMap<String, Arc<Function>>>>,
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
    /// What runs for this tenant, or for none.
    pub(crate) fn run(
        &self,
        runnable: &Runnable,
        tenant: Option<&str>,
    ) -> Result<Arc<Function>, Error> {
        runnable.check_tenant(tenant)?;
        let version = &runnable.function;
        let Some(tenant) = tenant else { return Ok(version.clone()) };
        let mut runs = self.runs();
        let tenants = runs.entry(version.key.clone()).or_default();
        if let Some(run) = tenants.get(tenant) {
            return Ok(run.clone());
        }
        if tenants.len() >= TENANTS_KEPT {
            tenants.retain(|_, run| Arc::strong_count(run) > 1);
        }
        let key = format!("{}:tenant:{tenant}", version.key);
        let run = Arc::new(Function { key, ..Function::clone(version) });
        tenants.insert(tenant.to_owned(), run.clone());
        Ok(run)
    }

    /// Forgets the tenants of a version, and tells what they ran.
    pub(crate) fn leave(&self, key: &str) -> Vec<Arc<Function>> {
        self.runs().remove(key).into_iter().flat_map(HashMap::into_values).collect()
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<String, HashMap<String, Arc<Function>>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
