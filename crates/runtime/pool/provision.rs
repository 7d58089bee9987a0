//! Provisioned concurrency: instances that are ready before there is a request, and stay so.
//!
//! A family is a function with its versions. What is wanted of it is stated as a whole; one task a
//! family brings up what lacks, then lets go of what is no longer wanted, and replaces what ends. An
//! init that fails is tried again, after longer and longer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use kit::Millis;
use tokio::sync::{Notify, Semaphore};

use super::{Pool, STARTS_PER_CPU};
use crate::{
    extensions::shutdown,
    function::{Function, RuntimeError},
    log::Log,
    platform::Phase,
    start::NotStarted,
    timeline::{Opening, Reason},
};

/// An init before the first request may take this long, or the function's timeout if that is longer
/// ("Understanding the Lambda execution environment lifecycle").
const INIT_LIMIT: Duration = Duration::from_secs(130);
/// Waits after an init that failed or an instance that ended double from the first to the last.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LAST_BACKOFF: Duration = Duration::from_secs(60);
/// After this long without trouble, the next is the first.
const CALM: Duration = Duration::from_secs(60);

/// How far the instances of a function are that are to be always ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisioned {
    /// Ready now, idle or busy.
    pub ready: usize,
    /// Whether all that were wanted have been ready.
    pub reached: bool,
    /// Why the last start came to nothing, unless one has succeeded since.
    pub failure: Option<ProvisionFailure>,
}

/// Why an instance did not become ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProvisionFailure {
    /// The function's init failed.
    Init,
    /// The machine or the server could not start it: in words.
    Machine(String),
}

/// What is wanted of all families.
pub(super) struct Provisions {
    families: Mutex<HashMap<String, Family>>,
    /// Starts at once, of all families: those that a request waits for have places of their own.
    turns: Semaphore,
    /// Starts at once of one family.
    starts: usize,
}

struct Family {
    wants: Vec<Want>,
    /// Keys of versions that go when the others are ready.
    leaving: Vec<String>,
    changed: Arc<Notify>,
}

struct Want {
    function: Arc<Function>,
    count: usize,
    starting: usize,
    reached: bool,
    failure: Option<ProvisionFailure>,
    trouble: Trouble,
}

/// How often in a row something went wrong, and until when to wait.
#[derive(Default)]
struct Trouble {
    count: u32,
    until: Millis,
}

/// What a family's task does next.
enum Step {
    Start(Arc<Function>, Reason),
    LetGo(Vec<String>),
    /// Until something changes, or this moment.
    Wait(Option<Millis>),
    End,
}

impl Pool {
    /// Keeps instances ready: so many of each of these versions, and none of the family's others.
    /// A family is named by its function's ARN. Does not wait.
    pub fn provision(self: &Arc<Self>, family: &str, wants: Vec<(Arc<Function>, usize)>) {
        if self.groups.is_stopping() {
            return;
        }
        for (function, count) in &wants {
            let surplus = self.groups.keep(&function.key, *count);
            surplus.iter().for_each(|instance| instance.stop(shutdown::Reason::Spindown));
        }
        if self.provisions.want(family, wants) {
            self.spawn(self.clone().tend(family.to_owned()));
        }
    }

    /// How far a version of a family is; `None` if nothing is wanted of it.
    pub fn provisioned(&self, family: &str, key: &str) -> Option<Provisioned> {
        let families = self.provisions.families();
        let want = families.get(family)?.wants.iter().find(|want| want.function.key == key)?;
        let (reached, failure) = (want.reached, want.failure.clone());
        Some(Provisioned { ready: self.groups.provisioned(key), reached, failure })
    }

    /// Does what is next for a family until nothing is wanted of it.
    async fn tend(self: Arc<Self>, family: String) {
        loop {
            let changed = self.provisions.changed(&family);
            let ready = |key: &str| self.groups.provisioned(key);
            match self.provisions.step(&family, self.clock.now(), ready) {
                Step::Start(function, reason) => {
                    let opening = Opening::new(reason);
                    self.spawn(self.clone().start_provisioned(family.clone(), function, opening));
                }
                Step::LetGo(keys) => {
                    let surplus = keys.iter().flat_map(|key| self.groups.keep(key, 0));
                    surplus.for_each(|instance| instance.stop(shutdown::Reason::Spindown));
                }
                Step::Wait(until) => tokio::select! {
                    () = changed.notified() => {}
                    () = crate::instance::until(&self.clock, until) => {}
                    () = self.stopping() => return,
                },
                Step::End => return,
            }
        }
    }

    async fn start_provisioned(
        self: Arc<Self>,
        family: String,
        function: Arc<Function>,
        opening: Opening,
    ) {
        let started = self.bring_up_provisioned(&function, opening).await;
        self.provisions.started(&family, &function.key, started.err(), self.clock.now());
    }

    async fn bring_up_provisioned(
        self: &Arc<Self>,
        function: &Arc<Function>,
        opening: Opening,
    ) -> Result<(), ProvisionFailure> {
        let machine = |error: RuntimeError| ProvisionFailure::Machine(error.to_string());
        let turn = self.provisions.turns.acquire().await;
        let _turn = turn.map_err(|_| machine(RuntimeError::Stopping))?;
        let generation = self.groups.generation(&function.key);
        let slot = self.slot_when_weighed(function).await.map_err(machine)?;
        let log = Arc::new(Log::new(function, self.logs.clone(), self.clock.clone()));
        let limit = INIT_LIMIT.max(function.timeout);
        match self.start(function, &log, slot, (limit, Phase::PROVISIONED), opening).await {
            Ok((instance, _)) => {
                self.groups.admit(instance.clone(), generation);
                self.weigh(&instance);
                Ok(())
            }
            Err(NotStarted::Machine(error)) => Err(machine(error)),
            Err(NotStarted::Function(..)) => Err(ProvisionFailure::Init),
        }
    }
}

impl Provisions {
    pub(super) fn new(cpus: usize) -> Provisions {
        let turns = cpus * STARTS_PER_CPU;
        // An init that takes long must not hold up those of others.
        let starts = turns / 2;
        Provisions { families: Mutex::default(), turns: Semaphore::new(turns), starts }
    }

    /// Nothing starts any more.
    pub(super) fn close(&self) {
        self.turns.close();
    }

    /// An instance that was always ready has ended.
    pub(super) fn lost(&self, key: &str, now: Millis) {
        for family in self.families().values_mut() {
            if let Some(want) = family.wants.iter_mut().find(|want| want.function.key == key) {
                want.trouble.note(now);
                family.changed.notify_one();
            }
        }
    }

    fn families(&self) -> MutexGuard<'_, HashMap<String, Family>> {
        self.families.lock().expect("nothing panics while it holds this lock")
    }

    /// Takes in what is wanted; answers whether the family is new and needs its task.
    fn want(&self, family: &str, wants: Vec<(Arc<Function>, usize)>) -> bool {
        let mut families = self.families();
        if let Some(family) = families.get_mut(family) {
            family.want(wants);
            family.changed.notify_one();
            return false;
        }
        let new = !wants.is_empty();
        if new {
            let wants = wants.into_iter().map(|(function, count)| Want::new(function, count));
            let (wants, leaving, changed) = (wants.collect(), Vec::new(), Arc::default());
            families.insert(family.to_owned(), Family { wants, leaving, changed });
        }
        new
    }

    fn changed(&self, family: &str) -> Arc<Notify> {
        self.families().get(family).map(|family| family.changed.clone()).unwrap_or_default()
    }

    fn step(&self, name: &str, now: Millis, ready: impl Fn(&str) -> usize) -> Step {
        let mut families = self.families();
        let Some(family) = families.get_mut(name) else { return Step::End };
        if family.wants.is_empty() && family.leaving.is_empty() {
            families.remove(name);
            return Step::End;
        }
        family.step(now, self.starts, ready)
    }

    /// A start has ended, perhaps in a failure.
    fn started(&self, family: &str, key: &str, failure: Option<ProvisionFailure>, now: Millis) {
        let mut families = self.families();
        let Some(family) = families.get_mut(family) else { return };
        if let Some(want) = family.wants.iter_mut().find(|want| want.function.key == key) {
            want.starting = want.starting.saturating_sub(1);
            if failure.is_some() {
                want.trouble.note(now);
            }
            want.failure = failure;
        }
        family.changed.notify_one();
    }
}

impl Family {
    fn want(&mut self, wants: Vec<(Arc<Function>, usize)>) {
        let mut old = std::mem::take(&mut self.wants);
        for (function, count) in wants {
            let mut want = Want::new(function, count);
            let same = old.iter().position(|old| old.function.key == want.function.key);
            if let Some(was) = same.map(|at| old.swap_remove(at)) {
                want.starting = was.starting;
                want.reached = was.reached && count <= was.count;
            }
            self.leaving.retain(|key| *key != want.function.key);
            self.wants.push(want);
        }
        self.leaving.extend(old.into_iter().map(|old| old.function.key.clone()));
    }

    fn step(&mut self, now: Millis, starts: usize, ready: impl Fn(&str) -> usize) -> Step {
        let under_way: usize = self.wants.iter().map(|want| want.starting).sum();
        let (mut settled, mut until) = (true, None::<Millis>);
        for want in &mut self.wants {
            let ready = ready(&want.function.key);
            if ready >= want.count {
                want.reached = true;
                continue;
            }
            // Places of those that leave may be what a failed start lacked.
            settled &= want.failure.is_some();
            if ready + want.starting >= want.count || under_way >= starts {
                continue;
            }
            if now < want.trouble.until {
                until = Some(until.map_or(want.trouble.until, |it| it.min(want.trouble.until)));
                continue;
            }
            want.starting += 1;
            let reason = if want.reached { Reason::Replacement } else { Reason::Provisioned };
            return Step::Start(want.function.clone(), reason);
        }
        if settled && !self.leaving.is_empty() {
            return Step::LetGo(std::mem::take(&mut self.leaving));
        }
        Step::Wait(until)
    }
}

impl Want {
    fn new(function: Arc<Function>, count: usize) -> Want {
        let trouble = Trouble::default();
        Want { function, count, starting: 0, reached: false, failure: None, trouble }
    }
}

impl Trouble {
    /// Starts that fail together are one trouble.
    fn note(&mut self, now: Millis) {
        if now < self.until {
            return;
        }
        if now.since(self.until) > CALM.as_millis() as u64 {
            self.count = 0;
        }
        let wait = FIRST_BACKOFF.saturating_mul(1 << self.count.min(16)).min(LAST_BACKOFF);
        self.until = now.plus(wait.as_millis() as u64);
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_waits_longer_each_time_until_it_has_been_calm() {
        let mut trouble = Trouble::default();
        let mut now = Millis(1_000_000_000);
        let mut waits = Vec::new();
        for _ in 0..12 {
            trouble.note(now);
            waits.push(trouble.until.since(now));
            trouble.note(now.plus(1));
            now = trouble.until;
        }
        assert_eq!(waits[..4], [100, 200, 400, 800]);
        assert_eq!(waits[11], 60_000);
        now = now.plus_seconds(61);
        trouble.note(now);
        assert_eq!(trouble.until.since(now), 100);
    }
}
