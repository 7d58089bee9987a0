//! Records on their way to the writer. Calls that are alike and decided alike, on the same policies,
//! become one record as long as the writer has not taken it: most calls of a busy server are.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    mem,
};

use kit::Attempt;
use tokio::sync::oneshot;

use crate::authority::{Basis, Judged};

use super::{Call, Mode, Record};

/// Calls that may wait for the writer; further ones are dropped and counted.
const CALLS_LIMIT: usize = 16_384;
/// Calls of one record.
const CALLS_OF_RECORD_LIMIT: usize = 1024;

/// What waits for the writer.
#[derive(Default)]
pub(super) struct Gathered {
    /// In the order of their first calls.
    groups: Vec<Group>,
    /// Those that take further calls, by what their calls have in common.
    open: HashMap<u64, usize>,
    calls: usize,
    /// Calls for which there was no room.
    dropped: u64,
    marks: Vec<oneshot::Sender<()>>,
    /// Nobody takes any more.
    closed: bool,
    state: RandomState,
}

struct Group {
    record: Record,
    /// Keeps the policies where they are: their addresses tell them from later ones.
    _bases: Vec<Basis>,
}

impl Gathered {
    /// Adds a call. Says whether it is the first that waits.
    pub(super) fn add(
        &mut self,
        attempt: &Attempt<'_>,
        judgements: Vec<Judged<'_>>,
        mode: Mode,
    ) -> bool {
        if self.calls >= CALLS_LIMIT {
            self.dropped += 1;
            return false;
        }
        self.calls += 1;
        // Sixty-four bits with a key of their own, among a few thousand: two that are not alike do
        // not meet.
        let alike = self.state.hash_one(Alike(attempt, &judgements));
        if let Some(place) = self.open.get(&alike) {
            let calls = &mut self.groups[*place].record.more;
            calls.push(Call::of(attempt.caller));
            if calls.len() + 1 >= CALLS_OF_RECORD_LIMIT {
                self.open.remove(&alike);
            }
        } else {
            self.open.insert(alike, self.groups.len());
            let bases = judgements.iter().map(|it| it.basis.clone()).collect();
            let record = Record::of(attempt, judgements, mode);
            self.groups.push(Group { record, _bases: bases });
        }
        self.calls == 1
    }

    /// Tells when all that was added so far is kept, or that it never will be.
    pub(super) fn mark(&mut self) -> oneshot::Receiver<()> {
        let (mark, kept) = oneshot::channel();
        if !self.closed {
            self.marks.push(mark);
        }
        kept
    }

    /// The writer has ended.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.marks.clear();
    }

    /// Takes everything: the records, and whoever waits for them.
    pub(super) fn take(&mut self) -> (Vec<Record>, Vec<oneshot::Sender<()>>) {
        self.calls = 0;
        self.open.clear();
        let records = mem::take(&mut self.groups).into_iter().map(|group| group.record);
        (records.collect(), mem::take(&mut self.marks))
    }

    /// Calls for which there was no room.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// All that a record tells of a call but its id and its time.
struct Alike<'a>(&'a Attempt<'a>, &'a [Judged<'a>]);

impl Hash for Alike<'_> {
    fn hash<H: Hasher>(&self, to: &mut H) {
        let Alike(attempt, judgements) = self;
        let caller = attempt.caller;
        (caller.principal.arn.as_str(), caller.principal.kind as u8).hash(to);
        (caller.account.as_str(), caller.region.as_str(), &caller.source_ip).hash(to);
        (attempt.service.map(|it| it.name), attempt.action, attempt.keys).hash(to);
        for judged in *judgements {
            let matched = &judged.decision.matched;
            (&*judged.resource, judged.owner.as_str(), judged.decision.outcome).hash(to);
            (&judged.missing, matched.len()).hash(to);
            for it in matched {
                (it.source, it.policy, it.place.start).hash(to);
            }
            judged.basis.addresses().for_each(|it| it.hash(to));
        }
    }
}
