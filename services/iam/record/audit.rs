//! The authority that records what it decides, and what reads the records.

use std::{
    cmp::Reverse,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ::store::{
    DataFolder, Direction, Position, Query, ReadError, SegmentConfig, SegmentLog, Store,
};
use kit::{AccountId, Arn, Attempt, Authority, Caller, Clock, Denied, Millis};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};

use crate::{Iam, authority::ruling};

use super::{
    Explained, Mode, Record, Suggested, answers,
    gather::Gathered,
    seen::Seen,
    writer::{self, STREAM, Writer},
};

/// The grain in which old records go.
const SEGMENT_BYTES: u32 = 8 << 20;
/// Records that are read together.
const PAGE: usize = 500;
/// What must be allowed to who reads records, in enforce mode: it reads all of IAM.
const READING: &str = "iam:GetAccountAuthorizationDetails";

/// Permission for all calls, with a record of each.
pub struct Audit {
    iam: Arc<Iam>,
    mode: Mode,
    clock: Clock,
    log: SegmentLog,
    seen: Arc<Mutex<Seen>>,
    gathered: Arc<Mutex<Gathered>>,
    /// Wakes the writer.
    first: Arc<Notify>,
    /// Wakes it before its time.
    hurry: Arc<Notify>,
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// Why records cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The records' files.
    #[error("opening the records of decisions failed")]
    Records(#[from] ::store::OpenError),
    /// The rows, or the records.
    #[error("reading what was seen failed")]
    Seen(#[from] ReadError),
}

/// Which records to read.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Those of one request.
    pub id: Option<String>,
    /// Only of calls that policies do not allow.
    pub denied: bool,
    /// Only of this user or role: a name, `role/name`, `user/name` or an ARN.
    pub identity: Option<String>,
    /// At most so many, the newest ones.
    pub limit: usize,
}

impl Audit {
    /// Opens the records in the data folder and starts to keep them.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn open(
        iam: Arc<Iam>,
        mode: Mode,
        store: Store,
        folder: &DataFolder,
    ) -> Result<Arc<Audit>, OpenError> {
        let config = SegmentConfig { segment_bytes: SEGMENT_BYTES };
        let log = SegmentLog::open(&folder.join("decisions"), config)?;
        let (seen, counted) = writer::load(&store, &log).await?;
        let seen = Arc::new(Mutex::new(seen));
        let gathered = Arc::<Mutex<Gathered>>::default();
        let (first, hurry) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let stop = watch::Sender::new(false);
        let clock = iam.clock.clone();
        let writer = Writer {
            store,
            clock: clock.clone(),
            log: log.clone(),
            seen: seen.clone(),
            counted,
            written: None,
            gathered: gathered.clone(),
            first: first.clone(),
            hurry: hurry.clone(),
        };
        let task = Mutex::new(Some(tokio::spawn(writer.run(stop.subscribe()))));
        Ok(Arc::new(Audit { iam, mode, clock, log, seen, gathered, first, hurry, stop, task }))
    }

    /// Keeps what is waiting, and ends.
    pub async fn shutdown(&self) {
        self.stop.send_replace(true);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && task.await.is_err()
        {
            tracing::error!("the writer of decisions panicked");
        }
    }

    /// Ends without keeping anything, as a crash does.
    #[cfg(test)]
    pub(super) async fn abort(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let task = task.expect("it is ended once");
        task.abort();
        let _ = task.await;
    }

    /// What the server does with decisions.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Calls that are not in the records, or not counted: there was no room for them.
    pub fn overlooked(&self) -> u64 {
        self.gathered().dropped() + self.seen().overlooked()
    }

    /// Whether a caller may read what is recorded of its account.
    ///
    /// # Errors
    /// It may not: it is neither the account's root nor allowed to read all of IAM.
    pub fn check_reader(&self, caller: &Caller) -> Result<(), Denied> {
        self.check(caller, READING)
    }

    /// Lets a caller do what no operation of ours stands for yet; in enforce mode policies decide.
    ///
    /// # Errors
    /// They do not allow this action.
    pub fn check(&self, caller: &Caller, action: &str) -> Result<(), Denied> {
        match self.mode {
            Mode::Audit => Ok(()),
            Mode::Enforce => {
                let (service, resources, keys) = (None, &[][..], &[][..]);
                self.iam.permit(&Attempt { caller, service, action, resources, keys })
            }
        }
    }

    /// Records of an account, the newest one first, with what they mean.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn explained(
        &self,
        account: AccountId,
        wanted: &Wanted,
    ) -> Result<Vec<Explained>, ReadError> {
        self.catch_up().await;
        let mut found = Vec::new();
        let mut before = None;
        loop {
            let page = self.log.read(newest(before)).await?;
            before = page.entries.last().map(|entry| entry.position);
            let records =
                page.entries.iter().filter_map(|it| serde_json::from_slice(&it.bytes).ok());
            let of_account = records.filter(|record: &Record| record.account == account);
            // Calls of one kind and of another one may have come by turns.
            let mut calls: Vec<Record> = of_account
                .flat_map(|it| it.calls().filter(|call| wanted.fits(call)).take(wanted.limit))
                .collect();
            calls.sort_by_key(|call| Reverse(call.at));
            calls.truncate(wanted.limit - found.len());
            found.extend(calls.into_iter().map(|call| answers::explained(&self.iam, call)));
            if !page.more || found.len() >= wanted.limit {
                return Ok(found);
            }
        }
    }

    /// A policy for what a user or role has done since a time, and what its own grant beyond it.
    /// `None` if there is no such identity and none was seen.
    pub async fn suggested(
        &self,
        account: AccountId,
        identity: &str,
        since: Millis,
    ) -> Option<Suggested> {
        self.catch_up().await;
        let account = self.iam.account(account);
        let seen = self.seen();
        let identity = answers::known_identity(&account, &seen, identity)?;
        let done = seen.of(account.id, &identity, since);
        drop(seen);
        let since = since.max(Millis(self.clock.now().0.saturating_sub(super::RETENTION_MILLIS)));
        Some(answers::suggested(&account, identity, since, &done))
    }

    /// Waits until what was gathered before can be read.
    async fn catch_up(&self) {
        let kept = self.gathered().mark();
        self.hurry.notify_one();
        let _ = kept.await;
    }

    pub(super) fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Authority for Audit {
    fn permit(&self, attempt: &Attempt<'_>) -> Result<(), Denied> {
        let judgements = self.iam.judgements(attempt);
        if judgements.is_empty() {
            return Ok(());
        }
        let ruling = match self.mode {
            Mode::Audit => Ok(()),
            Mode::Enforce => ruling(attempt, &judgements),
        };
        if self.gathered().add(attempt, judgements, self.mode) {
            self.first.notify_one();
        }
        ruling
    }

    fn asks_for(&self, caller: &Caller, resource: &Arn, key: &str) -> bool {
        self.iam.asks_for(caller, resource, key)
    }

    fn edition(&self) -> u64 {
        self.iam.edition()
    }
}

impl Wanted {
    fn fits(&self, record: &Record) -> bool {
        let by = self.identity.as_ref().map(|it| answers::identity_named(it));
        self.id.as_ref().is_none_or(|id| *id == record.id)
            && (!self.denied || !record.is_allowed())
            && by.is_none_or(|wanted| {
                let its = record.identity.as_deref().unwrap_or_default();
                its == wanted || its.split_once('/').is_some_and(|(_, name)| name == wanted)
            })
    }
}

fn newest(before: Option<Position>) -> Query {
    Query {
        stream: STREAM,
        from: Millis(0),
        to: Millis(u64::MAX),
        after: before,
        limit: PAGE,
        direction: Direction::Backward,
    }
}
