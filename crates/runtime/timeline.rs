//! Starts as timelines: what each of the last starts of a function spent its time on.
//!
//! Always true: a start takes a few looks at the clock and one record, an invocation after the first
//! takes none; a function has at most `PER_FUNCTION` records, all have `IN_ALL`. What the function's
//! own process says of its times is cut to what the server has seen: it can only mislead about itself.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};

use kit::{AccountId, Millis, Region};
use serde::{Deserialize, Serialize};

use crate::{
    function::{Function, Report},
    start::{Initialization, NotStarted, StartKind},
};

/// Starts that are remembered of one function.
const PER_FUNCTION: usize = 50;
/// And of all: two megabytes or so.
const IN_ALL: usize = 4000;

/// What a start is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// A request waits.
    Request,
    /// A request waits, and the init has failed once.
    Retry,
    /// Provisioned concurrency.
    Provisioned,
    /// An instance that is to be always ready has ended.
    Replacement,
    /// A request is to be expected.
    Prediction,
}

/// What time goes into, in this order. Not every start has every step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Until it was its turn.
    Wait,
    /// Finding the interpreter, the role's credentials.
    Fetch,
    /// New namespaces, user, network.
    Namespace,
    /// Mounts, limits, locks, and the sandbox's own first process.
    Mounts,
    /// The runtime's own start; of one that is not ours with all that follows until it is ready.
    Boot,
    /// Loading the function's module and what it imports.
    Imports,
    /// From there until the runtime asks for its first event.
    Init,
    /// The first invocation.
    Handler,
}

/// A step and when it was.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// Which.
    pub step: Step,
    /// Milliseconds from the start's beginning to its.
    pub began_ms: f64,
    /// Milliseconds that it took.
    pub ms: f64,
}

/// One start of an instance.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    /// When somebody wanted it.
    #[serde(serialize_with = "iso8601")]
    pub started_at: Millis,
    /// `$LATEST` or a number.
    pub version: String,
    /// `python3.13`; empty of an image.
    pub runtime: String,
    /// How the instance came to be.
    pub kind: StartKind,
    /// In the words of `AWS_LAMBDA_INITIALIZATION_TYPE`.
    pub initialization_type: &'static str,
    /// What it was for.
    pub reason: Reason,
    /// The function's memory, in MiB.
    pub memory_mib: u32,
    /// Most memory held until the end of the first invocation, in MiB.
    pub max_memory_mib: Option<u32>,
    /// Milliseconds until the instance was ready, or until it had failed.
    pub total_ms: f64,
    /// Why it never became ready.
    pub error: Option<String>,
    /// What the time went into.
    pub steps: Vec<Span>,
}

/// The beginning of a start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    reason: Reason,
    began: Instant,
    turn: Instant,
}

impl Opening {
    /// Wanted now.
    pub(crate) fn new(reason: Reason) -> Opening {
        let now = Instant::now();
        Opening { reason, began: now, turn: now }
    }

    /// Now it is its turn.
    #[must_use]
    pub(crate) fn turn(self) -> Opening {
        Opening { turn: Instant::now(), ..self }
    }
}

/// When the parts of a sandbox were there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Furnished {
    /// Its namespaces, with their listeners.
    pub(crate) namespaces: Instant,
    /// The process that becomes its program.
    pub(crate) mounts: Instant,
}

/// When one of our bootstraps loaded the function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loaded {
    began: Instant,
    ended: Instant,
}

impl Loaded {
    /// From the header of a first request: microseconds since the loading began and since it ended.
    pub(crate) fn parse(ages: &[u8]) -> Option<Loaded> {
        let (began, ended) = std::str::from_utf8(ages).ok()?.split_once(' ')?;
        let now = Instant::now();
        let moment = |age: &str| now.checked_sub(Duration::from_micros(age.parse().ok()?));
        Some(Loaded { began: moment(began)?, ended: moment(ended)? })
    }
}

/// What a started sandbox and its runtime tell of their times.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marks {
    /// All that a process needs was there; none if that never was.
    pub(crate) fetched: Option<Instant>,
    /// None of a plain process.
    pub(crate) furnished: Option<Furnished>,
    /// None of a runtime that is not ours.
    pub(crate) loaded: Option<Loaded>,
}

/// A start as it is remembered. Its first invocation is added when it has been.
#[derive(Debug)]
pub(crate) struct Record {
    start: Start,
    began: Instant,
    first: OnceLock<(Span, u32)>,
}

impl Record {
    /// The instance has run an invocation: the first one counts.
    pub(crate) fn invoked(&self, report: &Report) {
        self.first.get_or_init(|| {
            let ended_ms = millis(self.began, Instant::now());
            let began_ms = (ended_ms - report.duration_ms).max(0.0);
            let span = Span { step: Step::Handler, began_ms, ms: report.duration_ms };
            (span, report.max_memory_mib)
        });
    }

    /// Whether it has run an invocation.
    pub(crate) fn has_invoked(&self) -> bool {
        self.first.get().is_some()
    }

    fn whole(&self) -> Start {
        let mut start = self.start.clone();
        if let Some((handler, memory_mib)) = self.first.get() {
            start.steps.push(*handler);
            start.max_memory_mib = Some(*memory_mib);
        }
        start
    }
}

/// The last starts of all functions.
#[derive(Default)]
pub(crate) struct Timelines {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    records: BTreeMap<u64, (Owner, Arc<Record>)>,
    /// The numbers of each function's records, the oldest first.
    functions: HashMap<Owner, VecDeque<u64>>,
}

type Owner = (AccountId, Region, String);

impl Timelines {
    /// Remembers a start that has ended at this moment, one way or the other.
    pub(crate) fn note(
        &self,
        function: &Function,
        how: (StartKind, Initialization),
        opening: Opening,
        marks: Marks,
        ended: (Millis, Option<&NotStarted>),
    ) -> Arc<Record> {
        let total_ms = millis(opening.began, Instant::now());
        let (now, failure) = ended;
        let start = Start {
            started_at: Millis(now.0.saturating_sub(total_ms as u64)),
            version: function.version.clone(),
            runtime: function.runtime.clone(),
            kind: how.0,
            initialization_type: how.1.as_str(),
            reason: opening.reason,
            memory_mib: function.memory_mib,
            max_memory_mib: None,
            total_ms,
            error: failure.map(NotStarted::in_words),
            steps: steps(opening, marks, total_ms),
        };
        let record = Arc::new(Record { start, began: opening.began, first: OnceLock::new() });
        let owner = (function.account, function.region.clone(), function.name.clone());
        self.state().keep(owner, record.clone());
        record
    }

    /// The last starts of a function, the newest first.
    pub(crate) fn of(
        &self,
        account: AccountId,
        region: &Region,
        name: &str,
        limit: usize,
    ) -> Vec<Start> {
        let state = self.state();
        let numbers = state.functions.get(&(account, region.clone(), name.to_owned()));
        let newest = numbers.into_iter().flatten().rev().take(limit);
        newest.filter_map(|number| Some(state.records.get(number)?.1.whole())).collect()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }
}

impl State {
    fn keep(&mut self, owner: Owner, record: Arc<Record>) {
        let number = self.next;
        self.next += 1;
        self.records.insert(number, (owner.clone(), record));
        let own = self.functions.entry(owner).or_default();
        own.push_back(number);
        if own.len() > PER_FUNCTION {
            own.pop_front().map(|oldest| self.records.remove(&oldest));
        } else if self.records.len() > IN_ALL {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((_, (owner, _))) = self.records.pop_first() else { return };
        if let Some(own) = self.functions.get_mut(&owner) {
            // The oldest of all is the oldest of its function.
            own.pop_front();
            if own.is_empty() {
                self.functions.remove(&owner);
            }
        }
    }
}

/// Steps follow each other without a gap; a mark out of order counts as the one before it.
fn steps(opening: Opening, marks: Marks, total_ms: f64) -> Vec<Span> {
    // A few and the first invocation.
    let mut spans = Vec::with_capacity(8);
    let mut last_ms = 0.0;
    let mut until = |step, end_ms: f64| {
        let end_ms = end_ms.clamp(last_ms, total_ms);
        spans.push(Span { step, began_ms: last_ms, ms: end_ms - last_ms });
        last_ms = end_ms;
    };
    until(Step::Wait, millis(opening.began, opening.turn));
    let Some(fetched) = marks.fetched else {
        until(Step::Fetch, total_ms);
        return spans;
    };
    until(Step::Fetch, millis(opening.began, fetched));
    if let Some(furnished) = marks.furnished {
        until(Step::Namespace, millis(opening.began, furnished.namespaces));
        until(Step::Mounts, millis(opening.began, furnished.mounts));
    }
    match marks.loaded {
        Some(loaded) => {
            until(Step::Boot, millis(opening.began, loaded.began));
            until(Step::Imports, millis(opening.began, loaded.ended));
            until(Step::Init, total_ms);
        }
        None => until(Step::Boot, total_ms),
    }
    spans
}

fn millis(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() * 1000.0
}

fn iso8601<S: serde::Serializer>(moment: &Millis, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&moment.iso8601())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(began: Instant, ms: u64) -> Instant {
        began + Duration::from_millis(ms)
    }

    #[test]
    fn steps_follow_each_other_and_fill_the_whole_start() {
        let began = Instant::now();
        let opening = Opening { reason: Reason::Request, began, turn: at(began, 1) };
        let marks = Marks {
            fetched: Some(at(began, 2)),
            furnished: Some(Furnished { namespaces: at(began, 4), mounts: at(began, 5) }),
            loaded: Some(Loaded { began: at(began, 15), ended: at(began, 45) }),
        };
        let spans = steps(opening, marks, 46.0);
        let lengths: Vec<f64> = spans.iter().map(|span| span.ms.round()).collect();
        assert_eq!(lengths, [1.0, 1.0, 2.0, 1.0, 10.0, 30.0, 1.0]);
        assert_eq!(spans.iter().map(|span| span.ms).sum::<f64>(), 46.0);
    }

    #[test]
    fn what_a_function_says_of_itself_stays_within_what_was_seen() {
        let began = Instant::now();
        let opening = Opening { reason: Reason::Request, began, turn: began };
        let lies = Loaded { began: at(began, 90_000), ended: began };
        let marks = Marks { fetched: Some(at(began, 3)), furnished: None, loaded: Some(lies) };
        let lengths: Vec<f64> = steps(opening, marks, 20.0).iter().map(|span| span.ms).collect();
        assert_eq!(lengths, [0.0, 3.0, 17.0, 0.0, 0.0]);
        for text in ["", "1", "a b", "1 -1", "18446744073709551616 1"] {
            assert!(Loaded::parse(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn a_function_has_a_bounded_number_of_records_and_so_have_all() {
        let timelines = Timelines::default();
        let record = || {
            let start = Start {
                started_at: Millis(0),
                version: String::new(),
                runtime: String::new(),
                kind: StartKind::Exec,
                initialization_type: "on-demand",
                reason: Reason::Request,
                memory_mib: 128,
                max_memory_mib: None,
                total_ms: 1.0,
                error: None,
                steps: Vec::new(),
            };
            Arc::new(Record { start, began: Instant::now(), first: OnceLock::new() })
        };
        let region: Region = "us-east-1".parse().unwrap();
        for number in 0..IN_ALL {
            for name in ["often".to_owned(), format!("once-{number}")] {
                let owner = (AccountId::DEFAULT, region.clone(), name);
                timelines.state().keep(owner, record());
            }
        }
        let kept = |name: &str| timelines.of(AccountId::DEFAULT, &region, name, usize::MAX).len();
        assert_eq!((kept("often"), kept("once-3"), kept("once-3999")), (PER_FUNCTION, 0, 1));
        let state = timelines.state();
        assert_eq!(state.records.len(), IN_ALL);
        assert_eq!(state.functions.values().map(VecDeque::len).sum::<usize>(), IN_ALL);
    }
}
