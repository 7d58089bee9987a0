//! Who idles and who waits, per function: the pool's memory, behind one lock that is never held
//! while anything waits.

mod provisioned;
mod worth;

pub(crate) use worth::MAX_AGE;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard},
};

use kit::{Clock, Millis};
use tokio::sync::oneshot;

use crate::{
    demand::Demand,
    extensions::shutdown,
    function::{Function, RuntimeError},
    instance::Instance,
    log::Log,
    memory::MemoryStatus,
    timeline::Reason,
};

/// Functions whose demand is remembered while they have no instance.
const REMEMBERED: usize = 10_000;

/// What a waiting request gets.
pub(crate) enum Given {
    /// An instance of its own until it is released.
    Instance(Busy),
    /// The init failed; the request is to try again, in the same log stream.
    Failed(Arc<Log>),
    /// No instance can be had.
    Refused(RuntimeError),
}

/// An instance that serves one request. Dropped without being released, it is stopped: nobody
/// knows what it is doing.
pub(crate) struct Busy {
    /// Taken on release.
    instance: Option<Arc<Instance>>,
    generation: u64,
    groups: Arc<Groups>,
}

impl Deref for Busy {
    type Target = Instance;

    fn deref(&self) -> &Instance {
        self.instance.as_ref().expect("an instance is taken only when it is given back")
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(instance) = self.instance.take() {
            // Whoever knows better has said so before.
            instance.stop(shutdown::Reason::Spindown);
            let now = self.groups.clock.now();
            self.groups.change(&instance.function.key, |group| {
                group.demand.ended(now, group.at_once());
                group.busy -= 1;
            });
        }
    }
}

/// What a start finds when it is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    /// The generation that the instance will belong to.
    pub(crate) generation: u64,
    /// Whether an instance will most likely be free before one can start.
    pub(crate) soon_free: bool,
    /// What the start is for.
    pub(crate) reason: Reason,
}

/// What the pool holds, by function key.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PoolStatus {
    /// Functions that have instances, or requests that wait for one.
    pub functions: BTreeMap<String, FunctionStatus>,
    /// Instances that came to ready since the pool was opened.
    pub starts: u64,
    /// Requests that were given an instance since the pool was opened.
    pub invokes: u64,
    /// Of all instances.
    pub memory: MemoryStatus,
}

/// One function's instances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct FunctionStatus {
    /// Waiting for requests.
    pub idle: usize,
    /// Serving one.
    pub busy: usize,
    /// On the way to ready.
    pub starting: usize,
    /// Requests without an instance.
    pub waiting: usize,
    /// Of the idle and busy ones, those that are always ready.
    pub provisioned: usize,
    /// So many are to be kept, going by what was asked lately.
    pub keep: usize,
}

/// The pool's memory.
pub(crate) struct Groups {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    stopping: bool,
    starts: u64,
    invokes: u64,
    groups: HashMap<String, Group>,
}

#[derive(Default)]
struct Group {
    /// The one that was used last is at the end, and used first.
    idle: Vec<Idle>,
    waiting: VecDeque<oneshot::Sender<Given>>,
    starting: usize,
    busy: usize,
    /// Of the busy ones, those that have answered and will be free when they ask for an event.
    settling: usize,
    /// How often the function's instances were retired: those of an older generation run old code.
    generation: u64,
    /// Those that are always ready, idle or busy.
    provisioned: Vec<Arc<Instance>>,
    /// How many of them there are to be.
    kept: usize,
    demand: Demand,
    /// How many to keep, as far as that was looked at.
    keep: usize,
    /// The most that an instance has held, in bytes; 0 if that is not known.
    heaviest: u64,
    /// An instance was started because a request is due.
    foreseen: bool,
    /// The function, once an instance of it was ready.
    function: Option<Arc<Function>>,
}

struct Idle {
    instance: Arc<Instance>,
    since: Millis,
}

impl Groups {
    pub(crate) fn new(clock: Clock) -> Arc<Groups> {
        Arc::new(Groups { clock, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }

    /// Changes a group, and forgets it when nothing is left of it.
    fn change<T>(&self, key: &str, change: impl FnOnce(&mut Group) -> T) -> T {
        let mut state = self.state();
        if !state.groups.contains_key(key) {
            state.groups.insert(key.to_owned(), Group::default());
        }
        let remembered = state.groups.len();
        let group = state.groups.get_mut(key).expect("it was inserted above");
        let result = change(group);
        if group.is_empty() && (remembered > REMEMBERED || group.demand.is_stale(self.clock.now()))
        {
            state.groups.remove(key);
        }
        result
    }

    /// The idle instance that was used last; one that is always ready before others.
    pub(crate) fn idle(self: &Arc<Self>, key: &str) -> Result<Option<Busy>, RuntimeError> {
        let mut state = self.state();
        if state.stopping {
            return Err(RuntimeError::Stopping);
        }
        let Some(group) = state.groups.get_mut(key) else { return Ok(None) };
        while let Some(Idle { instance, .. }) = group.pop_idle() {
            // One that has just ended may still be here.
            if instance.desk.settled_now() == Some(true) {
                group.busy += 1;
                group.asked(self.clock.now());
                let generation = group.generation;
                state.invokes += 1;
                return Ok(Some(self.busy(instance, generation)));
            }
        }
        Ok(None)
    }

    fn busy(self: &Arc<Self>, instance: Arc<Instance>, generation: u64) -> Busy {
        Busy { instance: Some(instance), generation, groups: self.clone() }
    }

    /// Joins those that wait. As many starts are always under way as requests wait: if there is
    /// one too few now, the caller is to begin it.
    pub(crate) fn wait(
        &self,
        key: &str,
    ) -> Result<(oneshot::Receiver<Given>, Option<Circumstances>), RuntimeError> {
        if self.is_stopping() {
            return Err(RuntimeError::Stopping);
        }
        let (sender, receiver) = oneshot::channel();
        let needed = self.change(key, |group| {
            group.waiting.retain(|waiting| !waiting.is_closed());
            group.waiting.push_back(sender);
            group.asked(self.clock.now());
            if group.starting >= group.waiting.len() {
                return None;
            }
            group.starting += 1;
            let soon_free = group.settling >= group.waiting.len();
            let (generation, reason) = (group.generation, Reason::Request);
            Some(Circumstances { generation, soon_free, reason })
        });
        Ok((receiver, needed))
    }

    /// Whether somebody still waits for the start whose turn it is; else the start is over.
    pub(crate) fn still_wanted(&self, key: &str) -> bool {
        self.change(key, |group| {
            group.waiting.retain(|waiting| !waiting.is_closed());
            let wanted = !group.waiting.is_empty();
            if !wanted {
                group.starting -= 1;
            }
            wanted
        })
    }

    /// A start came to ready.
    pub(crate) fn started(self: &Arc<Self>, instance: Arc<Instance>, generation: u64) {
        self.state().starts += 1;
        self.change(&instance.function.key, |group| {
            group.starting -= 1;
            group.busy += 1;
            group.function = Some(instance.function.clone());
        });
        self.give(self.busy(instance, generation));
    }

    /// A start came to nothing; whoever waits longest is told.
    pub(crate) fn not_started(&self, key: &str, why: Given) {
        let waiting = self.change(key, |group| {
            group.starting -= 1;
            group.waiting.retain(|waiting| !waiting.is_closed());
            group.waiting.pop_front()
        });
        if let Some(waiting) = waiting {
            // It may have given up meanwhile.
            let _ = waiting.send(why);
        }
    }

    /// Takes in an instance that was started for one request, outside the queue.
    pub(crate) fn adopt(self: &Arc<Self>, instance: Arc<Instance>) -> Busy {
        let mut state = self.state();
        state.starts += 1;
        state.invokes += 1;
        drop(state);
        let generation = self.change(&instance.function.key, |group| {
            group.busy += 1;
            group.generation
        });
        self.busy(instance, generation)
    }

    /// Gives an instance back after a request. One of old code serves no other, and is stopped.
    pub(crate) fn release(self: &Arc<Self>, busy: Busy) {
        if self.change(&busy.function.key, |group| group.generation) == busy.generation {
            self.give(busy);
        }
    }

    /// Gives an instance to the next request, or lets it idle. Whoever waits takes one that was
    /// retired while it started: its key names the code that was asked for, and no other start
    /// would come for them.
    fn give(self: &Arc<Self>, mut busy: Busy) {
        loop {
            // Unlocked before `busy` is dropped: that stops the instance, and needs the lock.
            let mut state = self.state();
            let stopping = state.stopping;
            let Some(group) = state.groups.get_mut(&busy.function.key) else { return };
            if stopping {
                return;
            }
            let Some(waiting) = group.waiting.pop_front() else {
                if group.generation == busy.generation
                    && !group.lets_go(&busy)
                    && let Some(instance) = busy.instance.take()
                {
                    group.takes_back(instance, self.clock.now());
                }
                return;
            };
            state.invokes += 1;
            drop(state);
            match waiting.send(Given::Instance(busy)) {
                Err(Given::Instance(back)) => busy = back,
                _ => return,
            }
        }
    }

    /// An instance has answered, but not asked for its next event.
    pub(crate) fn settling(&self, busy: &Busy) {
        self.change(&busy.function.key, |group| group.settling += 1);
    }

    /// It has asked for it, or is given up.
    pub(crate) fn settled(&self, busy: &Busy) {
        self.change(&busy.function.key, |group| group.settling -= 1);
    }

    /// Its process has ended. Answers whether it was one of those that are always ready.
    pub(crate) fn forget(&self, instance: &Arc<Instance>) -> bool {
        self.change(&instance.function.key, |group| {
            group.idle.retain(|idle| !Arc::ptr_eq(&idle.instance, instance));
            group.leave_provisioned(instance)
        })
    }

    /// Takes out the instances of old code. Those that are busy or starting stop on release.
    pub(crate) fn retire(&self, key: &str) -> Vec<Arc<Instance>> {
        self.change(key, |group| {
            group.generation += 1;
            // Nothing will be asked of this code any more.
            group.demand = Demand::default();
            group.function = None;
            group.take_idle()
        })
    }

    /// From now on nobody gets an instance. Takes out all that idle.
    pub(crate) fn stop(&self) -> Vec<Arc<Instance>> {
        let mut state = self.state();
        state.stopping = true;
        // Those that wait see that nobody will answer them.
        state.groups.values_mut().for_each(|group| group.waiting.clear());
        state.groups.values_mut().flat_map(Group::take_idle).collect()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.state().stopping
    }

    pub(crate) fn status(&self) -> PoolStatus {
        let state = self.state();
        let there = state.groups.iter().filter(|(_, group)| !group.is_empty());
        let functions = there.map(|(key, group)| {
            let status = FunctionStatus {
                idle: group.idle.len(),
                busy: group.busy,
                starting: group.starting,
                waiting: group.waiting.len(),
                provisioned: group.provisioned.len(),
                keep: group.keep,
            };
            (key.clone(), status)
        });
        let functions = functions.collect();
        let memory = MemoryStatus::default();
        PoolStatus { functions, starts: state.starts, invokes: state.invokes, memory }
    }
}

impl Group {
    fn is_empty(&self) -> bool {
        self.idle.is_empty()
            && self.waiting.is_empty()
            && self.starting == 0
            && self.busy == 0
            && self.provisioned.is_empty()
            && self.kept == 0
    }

    /// Requests that are served or wait.
    fn at_once(&self) -> usize {
        self.busy + self.waiting.len()
    }

    /// A busy instance idles from now on.
    fn takes_back(&mut self, instance: Arc<Instance>, now: Millis) {
        // Nobody has come for one that was started ahead.
        if instance.record.get().is_some_and(|record| record.has_invoked()) {
            self.demand.ended(now, self.at_once());
        }
        self.busy -= 1;
        instance.rest.begin(now);
        self.idle.push(Idle { instance, since: now });
    }

    /// A request has come, and counts already.
    fn asked(&mut self, now: Millis) {
        self.demand.asked(now, self.at_once());
        self.keep = self.keep.max(self.at_once());
        self.foreseen = false;
    }

    fn take_idle(&mut self) -> Vec<Arc<Instance>> {
        std::mem::take(&mut self.idle).into_iter().map(|idle| idle.instance).collect()
    }
}
