//! What extensions may read of an instance: its log lines and Lambda's events, over the Telemetry API
//! or the older Logs API.
//!
//! Always true: nobody waits for a subscriber. What one does not take in time is dropped and counted,
//! and it is told so. Read in this order: `subscription` (what may be asked for), `buffer` (what waits
//! for one subscriber), `courier` (how it gets there).

mod buffer;
pub(crate) mod courier;
pub(crate) mod subscription;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use kit::Millis;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{extensions::refused::Refused, function::Function, platform::Event};

pub(crate) use self::{courier::Subscriber, subscription::Subscription};

/// What happened before the first subscription is kept up to this much for it.
const KEPT_ITEMS: usize = 1000;
const KEPT_BYTES: usize = 256 * 1024;

/// Which API a subscriber came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// `/2022-07-01/telemetry`.
    Telemetry,
    /// `/2020-08-15/logs`.
    Logs,
}

/// Who printed a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Printed {
    /// The runtime's process.
    Function,
    /// An extension's.
    Extension,
}

/// One instance's telemetry.
#[derive(Default)]
pub(crate) struct Telemetry {
    /// Whether anybody may ever read it. Else nothing is made for nobody.
    wanted: AtomicBool,
    state: Mutex<State>,
    /// Rung when somebody has subscribed.
    subscribed: Notify,
}

#[derive(Default)]
struct State {
    subscribers: Vec<Arc<Subscriber>>,
    /// Those that nobody carries to yet.
    fresh: Vec<Arc<Subscriber>>,
    kept: VecDeque<Item>,
    kept_bytes: usize,
    /// The init is over: nobody subscribes any more, and nothing is kept.
    closed: bool,
}

/// One event, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// `platform`, `function` or `extension`.
    category: &'static str,
    /// What of the two APIs, and of which of their schemas, it belongs to.
    kind: &'static str,
    /// The JSON document.
    text: Arc<str>,
}

impl Item {
    fn new(category: &'static str, kind: &'static str, at: Millis, record: &Value) -> Item {
        let document = json!({ "time": at.iso8601(), "type": kind, "record": record });
        Item { category, kind, text: document.to_string().into() }
    }

    /// Of what was dropped.
    fn dropped(at: Millis, records: u64, bytes: u64) -> Item {
        let reason =
            "Consumer seems to have fallen behind as it has not acknowledged receipt of logs.";
        let record = json!({ "reason": reason, "droppedRecords": records, "droppedBytes": bytes });
        Item::new("platform", "platform.logsDropped", at, &record)
    }
}

impl Telemetry {
    /// A new init begins; `wanted` if it starts extensions, which may subscribe later.
    pub(crate) fn begin(&self, wanted: bool) {
        *self.state() = State::default();
        self.wanted.store(wanted, Ordering::Release);
    }

    /// An extension has registered that nobody knew of: it may subscribe.
    pub(crate) fn want(&self) {
        self.wanted.store(true, Ordering::Release);
    }

    /// The init is over.
    pub(crate) fn close(&self) {
        if !self.is_wanted() {
            return;
        }
        let mut state = self.state();
        state.closed = true;
        (state.kept, state.kept_bytes) = Default::default();
        let anybody = !state.subscribers.is_empty();
        self.wanted.store(anybody, Ordering::Release);
    }

    /// Whether to call [`Telemetry::line`] and [`Telemetry::tell`] at all.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    /// Takes in a subscription; a second one of the same extension replaces nothing and adds nothing.
    /// Answers whether it is new.
    pub(crate) fn subscribe(
        &self,
        name: &str,
        subscription: Subscription,
    ) -> Result<bool, Refused> {
        let mut state = self.state();
        if state.closed {
            let api = match subscription.source {
                Source::Telemetry => "Telemetry",
                Source::Logs => "Logs",
            };
            return Err(Refused::SubscriptionClosed(api));
        }
        if let Some(known) = state.subscribers.iter().find(|it| it.name() == name) {
            let other = "the extension has subscribed over the other API";
            let same = known.source() == subscription.source;
            return if same { Ok(false) } else { Err(Refused::Format(other.to_owned())) };
        }
        let subscriber = Arc::new(Subscriber::new(name, subscription));
        for item in &state.kept {
            subscriber.take(item);
        }
        state.subscribers.push(subscriber.clone());
        state.fresh.push(subscriber);
        drop(state);
        self.subscribed.notify_one();
        Ok(true)
    }

    /// A line that was printed, by a function that logs in JSON or not.
    pub(crate) fn line(&self, printed: Printed, json: bool, at: Millis, text: &str) {
        let category = match printed {
            Printed::Function => "function",
            Printed::Extension => "extension",
        };
        let parsed = (json && text.starts_with('{')).then(|| serde_json::from_str(text).ok());
        let record = match parsed.flatten() {
            Some(object @ Value::Object(_)) => object,
            _ => Value::from(text),
        };
        self.take(Item::new(category, category, at, &record));
    }

    /// Something that Lambda tells.
    pub(crate) fn tell(&self, event: &Event<'_>, function: &Function, at: Millis) {
        self.take(Item::new("platform", event.kind(), at, &event.record(function)));
    }

    fn take(&self, item: Item) {
        let mut state = self.state();
        for subscriber in &state.subscribers {
            subscriber.take(&item);
        }
        if state.closed {
            return;
        }
        state.kept_bytes += item.text.len();
        state.kept.push_back(item);
        while state.kept.len() > KEPT_ITEMS || state.kept_bytes > KEPT_BYTES {
            let Some(oldest) = state.kept.pop_front() else { break };
            state.kept_bytes -= oldest.text.len();
        }
    }

    /// All subscribers get what waits for them at once.
    pub(crate) fn flush(&self) {
        self.state().subscribers.iter().for_each(|subscriber| subscriber.hurry());
    }

    /// The next subscriber to carry to.
    pub(crate) async fn subscriber(&self) -> Arc<Subscriber> {
        loop {
            let subscribed = self.subscribed.notified();
            if let Some(fresh) = self.state().fresh.pop() {
                return fresh;
            }
            subscribed.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }
}
