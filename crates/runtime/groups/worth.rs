//! Which idle instances go: those that are not needed any more by what was asked lately, and the
//! least valuable ones when others need their room. Those that are always ready stay.

use std::{sync::Arc, time::Duration};

use kit::Millis;

use super::{Circumstances, Group, Groups};
use crate::{function::Function, instance::Instance, timeline::Reason};

/// Instances live no longer: credentials, which they get when they start, last for twelve hours.
pub(crate) const MAX_AGE: Duration = Duration::from_secs(11 * 60 * 60);
/// An instance that is more than are needed idles so long before it goes.
const SURPLUS_IDLES: Duration = Duration::from_secs(60);

impl Groups {
    /// Takes out what has idled for longer than its function, or `default`, allows, what is not
    /// needed any more, and what is so old that its credentials will end. Forgets functions of which
    /// nothing was asked for long.
    pub(crate) fn expired(&self, default: Duration) -> Vec<Arc<Instance>> {
        let now = self.clock.now();
        let mut expired = Vec::new();
        let mut state = self.state();
        state.groups.retain(|_, group| {
            group.take_expired(now, default, &mut expired);
            !group.is_empty() || !group.demand.is_stale(now)
        });
        expired
    }

    /// Takes out the least valuable idle instance of all functions: one that its function will
    /// hardly need before one that it may, then the one that was used longest ago.
    pub(crate) fn evict(&self) -> Option<Arc<Instance>> {
        let key = {
            let state = self.state();
            let worth = |group: &Group| {
                let needed = group.idle.len() + group.busy <= group.keep;
                group.evictable().map(|at| (needed, group.idle[at].since))
            };
            let groups = state.groups.iter().filter_map(|(key, group)| Some((worth(group)?, key)));
            groups.min()?.1.clone()
        };
        self.change(&key, |group| group.evictable().map(|at| group.idle.remove(at).instance))
    }

    /// What all instances hold that may be taken out, in bytes.
    pub(crate) fn evictable_bytes(&self) -> u64 {
        let state = self.state();
        let idle = state.groups.values().flat_map(|group| &group.idle);
        let evictable = idle.filter(|idle| !idle.instance.is_provisioned());
        evictable.map(|idle| idle.instance.weight()).sum()
    }

    /// The most that an instance of a function has held so far, in bytes.
    pub(crate) fn heaviest(&self, key: &str) -> Option<u64> {
        let state = self.state();
        state.groups.get(key).map(|group| group.heaviest).filter(|bytes| *bytes > 0)
    }

    /// An instance was found to hold so much.
    pub(crate) fn weighed(&self, key: &str, bytes: u64) {
        if let Some(group) = self.state().groups.get_mut(key) {
            group.heaviest = group.heaviest.max(bytes);
        }
    }

    /// Functions of which a request is due and that have no instance, as far as there is room. The
    /// caller is to start one of each.
    pub(crate) fn due(
        &self,
        has_room: impl Fn(u64) -> bool,
    ) -> Vec<(Arc<Function>, Circumstances)> {
        let now = self.clock.now();
        let mut state = self.state();
        let due = state.groups.values_mut().filter_map(|group| {
            let function = group.function.clone()?;
            if group.foreseen
                || !group.is_empty()
                || !group.demand.is_due(now)
                || !has_room(group.heaviest)
            {
                return None;
            }
            group.foreseen = true;
            group.starting += 1;
            let (generation, reason) = (group.generation, Reason::Prediction);
            Some((function, Circumstances { generation, soon_free: false, reason }))
        });
        due.collect()
    }
}

impl Group {
    fn take_expired(&mut self, now: Millis, default: Duration, expired: &mut Vec<Arc<Instance>>) {
        let Some(limit) = self.idle.first().map(|it| it.instance.function.idle.unwrap_or(default))
        else {
            return;
        };
        self.keep = self.demand.keep(now, limit);
        let is_due = self.demand.is_due(now);
        let on_demand = self.idle.iter().filter(|idle| !idle.instance.is_provisioned()).count();
        let mut surplus = (on_demand + self.busy).saturating_sub(self.keep);
        let has_passed = |span: Duration, since| now.since(since) >= span.as_millis() as u64;
        // The one that was used longest ago comes first.
        self.idle.retain(|idle| {
            let provisioned = idle.instance.is_provisioned();
            let not_needed = surplus > 0 && has_passed(SURPLUS_IDLES.min(limit), idle.since);
            let idled = not_needed || has_passed(limit, idle.since) && !is_due;
            let over = idled && !provisioned || has_passed(MAX_AGE, idle.instance.born);
            if over {
                surplus = surplus.saturating_sub(usize::from(!provisioned));
                expired.push(idle.instance.clone());
            }
            !over
        });
    }
}
