//! Memory for instances: room for those that start, looks at those that run, and starts ahead of
//! requests where there is room. Read next: `memory` (what is counted), `groups/worth` (who goes).

use std::{
    sync::{Arc, MutexGuard, Weak, atomic::Ordering},
    time::Duration,
};

use super::{INIT_LIMIT, Pool};
use crate::{
    function::{Function, RuntimeError},
    instance::{Instance, Slot},
    memory::Share,
};

impl Pool {
    /// Memory for one more instance of a function, at the cost of idle ones if need be.
    pub(super) fn room(&self, function: &Function) -> Result<Share, RuntimeError> {
        let known = self.groups.heaviest(&function.key);
        let bytes = known.unwrap_or(u64::from(function.memory_mib) << 20);
        loop {
            if let Some(share) = self.memory.reserve(bytes) {
                return Ok(share);
            }
            // What does not make enough room is not stopped.
            let lacking = self.memory.lacking(bytes);
            if self.groups.evictable_bytes() < lacking || !self.make_room(bytes) {
                return Err(RuntimeError::NoMemory { budget_mib: self.memory.budget_mib() });
            }
        }
    }

    /// A place, as soon as there is room: those on their way to ready have reserved more than they
    /// will hold.
    pub(super) async fn slot_when_weighed(
        &self,
        function: &Function,
    ) -> Result<Slot, RuntimeError> {
        let deadline = self.clock.now().plus(INIT_LIMIT.as_millis() as u64);
        loop {
            // Before the attempt: what becomes free after it is not missed, nor who comes before it.
            let (freed, given) = (self.memory.freed(), self.memory.given());
            let soon = self.memory.may_become_free();
            let slot = self.slot(function);
            let left = Duration::from_millis(deadline.since(self.clock.now()));
            if !matches!(slot, Err(RuntimeError::NoMemory { .. })) || left.is_zero() {
                return slot;
            }
            if soon {
                self.clock.within(left, freed).await;
            } else if self.memory.given() == given {
                return slot;
            }
        }
    }

    /// Stops the least valuable idle instances until there is room for so much; answers whether
    /// there is.
    pub(super) fn make_room(&self, bytes: u64) -> bool {
        while self.memory.lacking(bytes) > 0 {
            match self.groups.evict() {
                Some(instance) => instance.make_room(),
                None => return false,
            }
        }
        true
    }

    /// Looks at what an instance holds.
    pub(super) fn weigh(&self, instance: &Instance) {
        let before = instance.weight();
        instance.weigh();
        let now = instance.weight();
        // What was counted before was its peak, unless it was only reserved.
        let peak =
            if instance.record.get().is_some_and(|it| it.has_invoked()) { before } else { 0 };
        self.groups.weighed(&instance.function.key, now.max(peak));
    }

    /// Looks at those that have run since, or run.
    pub(super) fn weigh_those_that_ran(&self) {
        let instances: Vec<Arc<Instance>> = {
            let mut all = self.instances();
            all.retain(|instance| instance.strong_count() > 0);
            all.iter().filter_map(Weak::upgrade).filter(|instance| instance.has_run()).collect()
        };
        instances.iter().for_each(|instance| self.weigh(instance));
    }

    /// Starts instances for which requests are due: never at the cost of others.
    pub(super) fn start_what_is_due(self: &Arc<Self>) {
        let has_room = |bytes| {
            self.taken.load(Ordering::Acquire) < self.config.max_instances
                && self.memory.lacking(bytes) == 0
        };
        for (function, circumstances) in self.groups.due(has_room) {
            self.spawn(self.clone().bring_up(function, circumstances));
        }
    }

    pub(super) fn instances(&self) -> MutexGuard<'_, Vec<Weak<Instance>>> {
        self.instances.lock().expect("nothing panics while it holds this lock")
    }
}
