//! What only FIFO queues have: groups that hand out their messages one batch at a time, and ids
//! that are remembered for five minutes.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    hash::Hash,
    sync::Arc,
};

use kit::Millis;

use crate::limits;

/// The groups of a queue.
#[derive(Default)]
pub(crate) struct Groups {
    groups: HashMap<Arc<str>, Group>,
    /// Groups that can hand out their first message, by that message.
    open: BTreeMap<u64, Arc<str>>,
}

#[derive(Default)]
struct Group {
    /// Messages that nobody holds, in order.
    waiting: BTreeSet<u64>,
    /// Those of them that are visible.
    visible: BTreeSet<u64>,
    /// Messages that somebody holds. While there is one, the group hands out nothing.
    held: BTreeSet<u64>,
    /// Its key in `open`.
    open_at: Option<u64>,
}

/// What a message is to its group.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Not visible yet: those behind it wait too.
    Hidden,
    /// Visible.
    Visible,
    /// Leased, or on its way to another queue.
    Held,
    /// No longer in the queue.
    Gone,
}

impl Groups {
    /// Notes what a message is to its group now.
    pub(crate) fn set(&mut self, group: &Arc<str>, sequence: u64, standing: Standing) {
        let entry = self.groups.entry(group.clone()).or_default();
        set_member(
            &mut entry.waiting,
            sequence,
            matches!(standing, Standing::Hidden | Standing::Visible),
        );
        set_member(&mut entry.visible, sequence, standing == Standing::Visible);
        set_member(&mut entry.held, sequence, standing == Standing::Held);
        let first = entry.first_visible().filter(|_| entry.held.is_empty());
        if entry.open_at != first {
            if let Some(before) = std::mem::replace(&mut entry.open_at, first) {
                self.open.remove(&before);
            }
            if let Some(first) = first {
                self.open.insert(first, group.clone());
            }
        }
        if entry.waiting.is_empty() && entry.held.is_empty() {
            self.groups.remove(group);
        }
    }

    /// The next message to hand out. A caller that already took from `group` in this receive goes
    /// on with it, as AWS prefers, though its own leases have closed it to others.
    pub(crate) fn next(&self, group: Option<&Arc<str>>) -> Option<u64> {
        let within = group.and_then(|group| self.groups.get(group)?.first_visible());
        within.or_else(|| self.open.first_key_value().map(|(sequence, _)| *sequence))
    }

    /// How many groups can hand out a message.
    pub(crate) fn open(&self) -> usize {
        self.open.len()
    }
}

impl Group {
    /// The first waiting message, if it is visible.
    fn first_visible(&self) -> Option<u64> {
        let first = self.waiting.first()?;
        self.visible.contains(first).then_some(*first)
    }
}

fn set_member(set: &mut BTreeSet<u64>, sequence: u64, member: bool) {
    if member {
        set.insert(sequence);
    } else {
        set.remove(&sequence);
    }
}

/// What is remembered by key for five minutes.
pub(crate) struct Remembered<K, V> {
    by_key: HashMap<K, (Millis, V)>,
    order: VecDeque<(Millis, K)>,
    capacity: usize,
}

impl<K: Clone + Eq + Hash, V> Remembered<K, V> {
    /// Remembers the newest `capacity` values at most.
    pub(crate) fn new(capacity: usize) -> Remembered<K, V> {
        Remembered { by_key: HashMap::new(), order: VecDeque::new(), capacity }
    }

    /// What was remembered under `key` less than five minutes ago.
    pub(crate) fn get(&self, key: &K, now: Millis) -> Option<&V> {
        let (since, value) = self.by_key.get(key)?;
        (now < since.plus_seconds(limits::DEDUPLICATION_SECONDS)).then_some(value)
    }

    /// The same, to be changed.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.by_key.get_mut(key).map(|(_, value)| value)
    }

    /// Remembers a value from `since` on.
    pub(crate) fn insert(&mut self, key: K, since: Millis, value: V) {
        self.by_key.insert(key.clone(), (since, value));
        self.order.push_back((since, key));
    }

    /// Forgets a value before its time.
    pub(crate) fn remove(&mut self, key: &K) {
        self.by_key.remove(key);
    }

    /// Forgets what is too old or too much, and answers with it.
    pub(crate) fn expire(&mut self, now: Millis) -> Vec<V> {
        let mut expired = Vec::new();
        while let Some((since, _)) = self.order.front() {
            let fresh = now < since.plus_seconds(limits::DEDUPLICATION_SECONDS);
            if fresh && self.order.len() <= self.capacity {
                break;
            }
            let Some((since, key)) = self.order.pop_front() else { break };
            // A later value under the same key has a later place in the order.
            if self.by_key.get(&key).is_some_and(|(current, _)| *current == since) {
                expired.extend(self.by_key.remove(&key).map(|(_, value)| value));
            }
        }
        expired
    }
}

/// What a deduplication id counts within: the queue, or one group of it.
pub(crate) type DeduplicationKey = (Option<Arc<str>>, String);

/// A message that was accepted under a deduplication id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) sequence: u64,
    /// The message id.
    pub(crate) id: String,
    /// Its commit is under way: nobody may be told yet that it was accepted.
    pub(crate) arriving: bool,
}

/// The messages of one receive, to be given again to who repeats it: sequence number and nonce.
pub(crate) type Attempt = Vec<(u64, u64)>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_hands_out_nothing_while_one_of_its_messages_is_held() {
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let mut groups = Groups::default();
        for (group, sequence) in [(&a, 1), (&b, 2), (&a, 3)] {
            groups.set(group, sequence, Standing::Visible);
        }
        assert_eq!((groups.next(None), groups.open()), (Some(1), 2));
        groups.set(&a, 1, Standing::Held);
        assert_eq!(groups.next(Some(&a)), Some(3), "the holder itself goes on");
        assert_eq!(groups.next(None), Some(2), "others do not");
        groups.set(&a, 1, Standing::Gone);
        groups.set(&b, 2, Standing::Hidden);
        assert_eq!((groups.next(None), groups.open()), (Some(3), 1));
    }

    #[test]
    fn a_hidden_message_hides_those_behind_it() {
        let a: Arc<str> = "a".into();
        let mut groups = Groups::default();
        groups.set(&a, 1, Standing::Hidden);
        groups.set(&a, 2, Standing::Visible);
        assert_eq!(groups.next(None), None);
        groups.set(&a, 1, Standing::Visible);
        assert_eq!(groups.next(None), Some(1));
    }

    #[test]
    fn ids_are_forgotten_after_five_minutes_or_when_there_are_too_many() {
        let mut seen = Remembered::new(2);
        seen.insert("a", Millis(0), 1);
        assert_eq!(seen.get(&"a", Millis(299_999)), Some(&1));
        assert_eq!(seen.get(&"a", Millis(300_000)), None);
        seen.insert("b", Millis(1), 2);
        seen.insert("c", Millis(2), 3);
        assert_eq!(seen.expire(Millis(3)), [1]);
        assert_eq!(seen.expire(Millis(300_001)), [2]);
        assert_eq!(seen.get(&"c", Millis(4)), Some(&3));
    }
}
