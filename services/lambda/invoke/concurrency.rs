//! How many invocations of an account and of a function run at once, and how fast more may come.
//!
//! Rules (AWS, "Lambda function scaling"): an account has 1,000 in a region; what functions reserve,
//! and what is kept ready for a version, is theirs alone; the rest is shared and at least 100.
//! Reserving 0 blocks a function. The rates are in `rate`.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use kit::{AccountId, Millis, Region};

use crate::{
    functions::Runnable,
    invoke::rate::{Budget, Growth},
    limits::ACCOUNT_CONCURRENCY,
    version::Number,
};

/// What is counted of a function that does not run is forgotten after this long: its budgets are
/// full again.
const FORGET_AFTER_SECONDS: u64 = 10;

/// Counts what runs. One per server.
pub(crate) struct Concurrency {
    running: Arc<Mutex<Running>>,
    /// Places of an account in a region.
    account: AtomicU32,
}

#[derive(Debug, Default)]
struct Running {
    functions: HashMap<FunctionKey, Counted>,
    /// What is shared, per account and region.
    shared: HashMap<(AccountId, Region), Shared>,
    /// When functions that do not run were last forgotten.
    swept: Millis,
}

/// What is counted of a function.
#[derive(Debug, Default)]
struct Counted {
    running: u32,
    /// Of these, those on instances that are kept ready, by version.
    provisioned: Vec<(Number, u32)>,
    growth: Growth,
    requests: Budget,
    seen: Millis,
}

#[derive(Debug, Default)]
struct Shared {
    running: u32,
    requests: Budget,
}

/// A function whatever its version: reservations are per function.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FunctionKey {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) name: String,
}

/// What an invocation has a claim to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Claim {
    /// What its function reserves.
    pub(crate) reserved: Option<u32>,
    /// Its version and how many instances of it are kept ready.
    pub(crate) provisioned: Option<(Number, u32)>,
    /// What all functions of the account claim together for themselves alone.
    pub(crate) claimed: u32,
}

/// A place for one invocation; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    running: Arc<Mutex<Running>>,
    function: FunctionKey,
    /// The version on whose provisioned instances it counts.
    provisioned: Option<Number>,
    shared: bool,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttled {
    /// The function's own reservation is used up.
    Reserved,
    /// The account's shared part is used up, or the function grows too fast.
    Account,
    /// More requests a second than the function's reservation allows.
    ReservedRate,
    /// More requests a second than the account's limit allows.
    AccountRate,
}

impl Throttled {
    /// The `Reason` of `TooManyRequestsException`.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Throttled::Reserved => "ReservedFunctionConcurrentInvocationLimitExceeded",
            Throttled::Account => "ConcurrentInvocationLimitExceeded",
            Throttled::ReservedRate => "ReservedFunctionInvocationRateLimitExceeded",
            Throttled::AccountRate => "FunctionInvocationRateLimitExceeded",
        }
    }
}

impl Default for Concurrency {
    fn default() -> Concurrency {
        Concurrency { running: Arc::default(), account: ACCOUNT_CONCURRENCY.into() }
    }
}

impl Concurrency {
    /// Places of an account in a region.
    pub(crate) fn account(&self) -> u32 {
        self.account.load(Ordering::Relaxed)
    }

    /// Sets the places of each account in each region.
    pub(crate) fn set_account(&self, places: u32) {
        self.account.store(places, Ordering::Relaxed);
    }

    /// Takes a synchronous request into account: asynchronous ones have no rate.
    pub(crate) fn admit(&self, runnable: &Runnable, now: Millis) -> Result<(), Throttled> {
        let function = &runnable.function;
        let (account, region) = (function.account, function.region.clone());
        let mut running = lock(&self.running);
        let Some(places) = runnable.reserved else {
            let shared = running.shared.entry((account, region)).or_default();
            let taken = shared.requests.take_request(self.account(), now);
            return taken.then_some(()).ok_or(Throttled::AccountRate);
        };
        let key = FunctionKey { account, region, name: function.name.clone() };
        let counted = running.functions.entry(key).or_default();
        counted.seen = now;
        // Where nothing may run, the want of places is the reason.
        let taken = places == 0 || counted.requests.take_request(places, now);
        taken.then_some(()).ok_or(Throttled::ReservedRate)
    }

    /// Takes a place for an invocation.
    pub(crate) fn enter(
        &self,
        function: FunctionKey,
        claim: Claim,
        now: Millis,
    ) -> Result<Place, Throttled> {
        let mut guard = lock(&self.running);
        guard.sweep(now);
        let Running { functions, shared, .. } = &mut *guard;
        if !functions.contains_key(&function) {
            functions.insert(function.clone(), Counted::default());
        }
        let counted = functions.get_mut(&function).expect("it was inserted above");
        counted.seen = now;
        if claim.reserved.is_some_and(|limit| counted.running >= limit) {
            return Err(Throttled::Reserved);
        }
        let provisioned = claim.provisioned.filter(|(version, most)| counted.on(*version) < *most);
        let takes_shared = claim.reserved.is_none() && provisioned.is_none();
        let shared = takes_shared
            .then(|| shared.entry((function.account, function.region.clone())).or_default());
        let most = self.account().saturating_sub(claim.claimed);
        if shared.as_ref().is_some_and(|shared| shared.running >= most) {
            return Err(Throttled::Account);
        }
        if provisioned.is_none() && !counted.growth.reach(counted.on_demand() + 1, now) {
            return Err(Throttled::Account);
        }
        if let Some(shared) = shared {
            shared.running += 1;
        }
        counted.running += 1;
        let provisioned = provisioned.map(|(version, _)| version);
        if let Some(version) = provisioned {
            counted.enter(version);
        }
        Ok(Place { running: self.running.clone(), function, provisioned, shared: takes_shared })
    }
}

impl Running {
    fn sweep(&mut self, now: Millis) {
        if now < self.swept.plus_seconds(FORGET_AFTER_SECONDS) {
            return;
        }
        self.swept = now;
        self.functions.retain(|_, counted| {
            counted.running > 0 || now < counted.seen.plus_seconds(FORGET_AFTER_SECONDS)
        });
    }
}

impl Counted {
    /// What runs on a version's provisioned instances.
    fn on(&self, version: Number) -> u32 {
        self.provisioned.iter().find(|(it, _)| *it == version).map_or(0, |(_, running)| *running)
    }

    fn on_demand(&self) -> u32 {
        self.running - self.provisioned.iter().map(|(_, running)| running).sum::<u32>()
    }

    fn enter(&mut self, version: Number) {
        match self.provisioned.iter_mut().find(|(it, _)| *it == version) {
            Some((_, running)) => *running += 1,
            None => self.provisioned.push((version, 1)),
        }
    }

    fn leave(&mut self, version: Number) {
        if let Some((_, running)) = self.provisioned.iter_mut().find(|(it, _)| *it == version) {
            *running -= 1;
        }
        self.provisioned.retain(|(_, running)| *running > 0);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut running = lock(&self.running);
        if let Some(counted) = running.functions.get_mut(&self.function) {
            counted.running -= 1;
            if let Some(version) = self.provisioned {
                counted.leave(version);
            }
        }
        if self.shared {
            let place = (self.function.account, self.function.region.clone());
            if let Some(shared) = running.shared.get_mut(&place) {
                shared.running = shared.running.saturating_sub(1);
            }
        }
    }
}

fn lock(running: &Mutex<Running>) -> MutexGuard<'_, Running> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_000_000_000);

    fn function(name: &str) -> FunctionKey {
        let (account, region) = (AccountId::DEFAULT, Region::default());
        FunctionKey { account, region, name: name.to_owned() }
    }

    fn reserves(places: u32) -> Claim {
        Claim { reserved: Some(places), claimed: places, ..Claim::default() }
    }

    fn shares(claimed: u32) -> Claim {
        Claim { claimed, ..Claim::default() }
    }

    #[test]
    fn a_reservation_bounds_its_function_and_zero_blocks_it() {
        let concurrency = Concurrency::default();
        let enter = |name, places| concurrency.enter(function(name), reserves(places), NOW);
        let first = enter("a", 1).unwrap();
        assert_eq!(enter("a", 1).unwrap_err(), Throttled::Reserved);
        drop(first);
        assert!(enter("a", 1).is_ok());
        assert_eq!(enter("b", 0).unwrap_err(), Throttled::Reserved);
    }

    #[test]
    fn functions_without_a_reservation_share_what_is_left() {
        let concurrency = Concurrency::default();
        concurrency.set_account(950);
        let enter = |name, claim| concurrency.enter(function(name), claim, NOW);
        let places: Vec<_> = (0..50).map(|_| enter("a", shares(900)).unwrap()).collect();
        assert_eq!(enter("b", shares(900)).unwrap_err(), Throttled::Account);
        assert!(enter("c", Claim { claimed: 900, ..reserves(5) }).is_ok());
        drop(places);
        assert!(enter("b", shares(900)).is_ok());
    }

    #[test]
    fn provisioned_places_are_beside_the_shared_ones() {
        let concurrency = Concurrency::default();
        concurrency.set_account(3);
        let kept = Claim { provisioned: Some((Number(1), 2)), claimed: 2, reserved: None };
        let other = Claim { provisioned: Some((Number(2), 0)), ..kept };
        let enter = |claim| concurrency.enter(function("a"), claim, NOW);
        let places = [enter(kept).unwrap(), enter(kept).unwrap(), enter(kept).unwrap()];
        assert_eq!(enter(kept).unwrap_err(), Throttled::Account);
        let [first, _second, spilled] = places;
        drop(first);
        assert_eq!(enter(other).unwrap_err(), Throttled::Account, "they are of another version");
        let again = enter(kept).unwrap();
        drop(spilled);
        assert!(enter(other).is_ok());
        drop(again);
    }

    #[test]
    fn a_function_may_not_grow_too_fast_but_on_provisioned_instances() {
        let concurrency = Concurrency::default();
        concurrency.set_account(5000);
        let kept = Claim { provisioned: Some((Number(1), 500)), claimed: 500, reserved: None };
        let enter = |claim, now| concurrency.enter(function("a"), claim, now);
        let mut places: Vec<_> = (0..1500).map(|_| enter(kept, NOW).unwrap()).collect();
        assert_eq!(enter(kept, NOW).unwrap_err(), Throttled::Account);
        places.push(enter(kept, NOW.plus(10)).unwrap());
        assert!(enter(kept, NOW.plus(10)).is_err());
        assert!(concurrency.enter(function("b"), shares(500), NOW).is_ok(), "each by itself");
    }

    #[test]
    fn what_has_not_run_for_long_is_forgotten() {
        let concurrency = Concurrency::default();
        let at = |seconds| NOW.plus_seconds(seconds);
        let running = concurrency.enter(function("a"), shares(0), at(0)).unwrap();
        drop(concurrency.enter(function("b"), shares(0), at(0)).unwrap());
        drop(concurrency.enter(function("c"), shares(0), at(20)).unwrap());
        let names = |concurrency: &Concurrency| {
            let functions = &lock(&concurrency.running).functions;
            let mut names: Vec<_> = functions.keys().map(|key| key.name.clone()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&concurrency), ["a", "c"]);
        drop(running);
    }
}
