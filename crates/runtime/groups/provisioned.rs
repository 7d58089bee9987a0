//! The part of a group that is always ready: neither reaped nor evicted, and used before the rest.

use std::sync::Arc;

use super::{Busy, Group, Groups, Idle};
use crate::{extensions::shutdown::Reason, instance::Instance};

impl Groups {
    /// From now on so many of a function's instances are always ready. Takes out what idles beyond
    /// them; what is busy beyond them stops after its request.
    pub(crate) fn keep(&self, key: &str, count: usize) -> Vec<Arc<Instance>> {
        self.change(key, |group| {
            group.kept = count;
            let surplus = group.provisioned.len().saturating_sub(count);
            let mut taken = Vec::new();
            group.idle.retain(|idle| {
                let take = taken.len() < surplus && idle.instance.is_provisioned();
                if take {
                    taken.push(idle.instance.clone());
                }
                !take
            });
            for instance in &taken {
                group.leave_provisioned(instance);
            }
            taken
        })
    }

    /// The generation of instances that start now.
    pub(crate) fn generation(&self, key: &str) -> u64 {
        self.state().groups.get(key).map_or(0, |group| group.generation)
    }

    /// How many of a function's instances are always ready now.
    pub(crate) fn provisioned(&self, key: &str) -> usize {
        self.state().groups.get(key).map_or(0, |group| group.provisioned.len())
    }

    /// Takes in an instance that is to be always ready; stops it if it is not wanted any more.
    pub(crate) fn admit(self: &Arc<Self>, instance: Arc<Instance>, generation: u64) {
        let mut state = self.state();
        let stopping = state.stopping;
        let Some(group) = state.groups.get_mut(&instance.function.key) else {
            return instance.stop(Reason::Spindown);
        };
        // One that ended before this is forgotten already.
        let ended = instance.desk.settled_now() == Some(false);
        let wanted = group.generation == generation && group.provisioned.len() < group.kept;
        if stopping || ended || !wanted {
            return instance.stop(Reason::Spindown);
        }
        group.provisioned.push(instance.clone());
        group.busy += 1;
        state.starts += 1;
        drop(state);
        self.give(self.busy(instance, generation));
    }
}

impl Group {
    pub(super) fn pop_idle(&mut self) -> Option<Idle> {
        if self.provisioned.is_empty() {
            return self.idle.pop();
        }
        match self.idle.iter().rposition(|idle| idle.instance.is_provisioned()) {
            Some(at) => Some(self.idle.remove(at)),
            None => self.idle.pop(),
        }
    }

    /// The place of the instance that has idled longest and may be stopped.
    pub(super) fn evictable(&self) -> Option<usize> {
        self.idle.iter().position(|idle| !idle.instance.is_provisioned())
    }

    /// Whether an instance that comes free is beyond what is to be always ready; then it counts no
    /// longer.
    pub(super) fn lets_go(&mut self, busy: &Busy) -> bool {
        let surplus = busy.is_provisioned() && self.provisioned.len() > self.kept;
        surplus && busy.instance.as_ref().is_some_and(|instance| self.leave_provisioned(instance))
    }

    /// Counts an instance no longer; answers whether it was counted.
    pub(super) fn leave_provisioned(&mut self, instance: &Arc<Instance>) -> bool {
        let before = self.provisioned.len();
        self.provisioned.retain(|it| !Arc::ptr_eq(it, instance));
        self.provisioned.len() < before
    }
}
