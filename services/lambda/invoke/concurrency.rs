//! How many invocations of an account and of a function run at once.
//!
//! Rules (AWS, "Lambda function scaling"): an account has 1,000 in a region; what functions reserve
//! is theirs alone; the rest is shared and at least 100. Reserving 0 blocks a function.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use kit::{AccountId, Region};

use crate::limits::ACCOUNT_CONCURRENCY;

/// Counts what runs. One per server.
#[derive(Default)]
pub(crate) struct Concurrency {
    running: Arc<Mutex<Running>>,
}

#[derive(Debug, Default)]
struct Running {
    functions: HashMap<FunctionKey, u32>,
    /// Invocations outside reservations, per account and region.
    unreserved: HashMap<(AccountId, Region), u32>,
}

/// A function whatever its version: reservations are per function.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FunctionKey {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) name: String,
}

/// A place for one invocation; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    running: Arc<Mutex<Running>>,
    function: FunctionKey,
    reserved: bool,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttled {
    /// The function's own reservation is used up.
    Reserved,
    /// The account's shared part is used up.
    Account,
}

impl Throttled {
    /// The `Reason` of `TooManyRequestsException`.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Throttled::Reserved => "ReservedFunctionConcurrentInvocationLimitExceeded",
            Throttled::Account => "ConcurrentInvocationLimitExceeded",
        }
    }
}

impl Concurrency {
    /// Takes a place for a function that reserves `own`, in an account whose functions together
    /// reserve `all`.
    pub(crate) fn enter(
        &self,
        function: FunctionKey,
        own: Option<u32>,
        all: u32,
    ) -> Result<Place, Throttled> {
        let mut guard = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let running = &mut *guard;
        match own {
            Some(limit) => {
                let used = running.functions.get(&function).copied().unwrap_or(0);
                if used >= limit {
                    return Err(Throttled::Reserved);
                }
            }
            None => {
                let place = (function.account, function.region.clone());
                let used = running.unreserved.entry(place).or_default();
                if *used >= ACCOUNT_CONCURRENCY.saturating_sub(all) {
                    return Err(Throttled::Account);
                }
                *used += 1;
            }
        }
        *running.functions.entry(function.clone()).or_default() += 1;
        Ok(Place { running: self.running.clone(), function, reserved: own.is_some() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = running.functions.get_mut(&self.function) {
            *count -= 1;
            if *count == 0 {
                running.functions.remove(&self.function);
            }
        }
        if !self.reserved {
            let place = (self.function.account, self.function.region.clone());
            if let Some(count) = running.unreserved.get_mut(&place) {
                *count = count.saturating_sub(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str) -> FunctionKey {
        let (account, region) = (AccountId::DEFAULT, Region::default());
        FunctionKey { account, region, name: name.to_owned() }
    }

    #[test]
    fn a_reservation_bounds_its_function_and_zero_blocks_it() {
        let concurrency = Concurrency::default();
        let first = concurrency.enter(function("a"), Some(1), 1).unwrap();
        assert_eq!(concurrency.enter(function("a"), Some(1), 1).unwrap_err(), Throttled::Reserved);
        drop(first);
        assert!(concurrency.enter(function("a"), Some(1), 1).is_ok());
        assert_eq!(concurrency.enter(function("b"), Some(0), 1).unwrap_err(), Throttled::Reserved);
    }

    #[test]
    fn functions_without_a_reservation_share_what_is_left() {
        let concurrency = Concurrency::default();
        let left = ACCOUNT_CONCURRENCY - 900;
        let places: Vec<_> =
            (0..left).map(|_| concurrency.enter(function("a"), None, 900).unwrap()).collect();
        assert_eq!(concurrency.enter(function("b"), None, 900).unwrap_err(), Throttled::Account);
        assert!(concurrency.enter(function("c"), Some(5), 900).is_ok());
        drop(places);
        assert!(concurrency.enter(function("b"), None, 900).is_ok());
    }
}
