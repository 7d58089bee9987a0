//! The poller of a stream: finds its shards and has each one read, children after their parents.
//!
//! Read in this order: `rules` (a mapping's demands), `piece` (a batch and what follows an attempt),
//! `window`, `lane` (batches in order), `progress` and `checkpoint` (how far a shard is), `event` and
//! `discard` (what functions and destinations are sent), `attempt` (a call), `reader` (a shard at work).
//!
//! Invariant: a shard's row is committed before anything behind it counts as done, and with it what
//! the destination is told. A crash repeats records; it loses none.

mod attempt;
mod checkpoint;
mod discard;
mod event;
mod lane;
mod piece;
mod progress;
mod reader;
mod rules;
mod window;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use ::store::{Batch, CommitError};
use bus::{Position, Shard, Stream, StreamError};
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
};

pub(crate) use checkpoint::Checkpoint;
use reader::{End, Reader};
use rules::Rules;

use crate::{
    Lambda,
    sources::{
        Ready, Status,
        filter::Filters,
        mapping::{Mapping, Start},
    },
};

/// How often the poller looks for new shards; the end of one makes it look at once.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What the readers of one mapping share.
struct Polled {
    lambda: Arc<Lambda>,
    mapping: Arc<Mapping>,
    stream: Arc<dyn Stream>,
    filters: Filters,
    rules: Rules,
    start: Start,
    status: Arc<Status>,
}

/// Why the poller could not look.
#[derive(Debug, thiserror::Error)]
enum Unseen {
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error(transparent)]
    Read(#[from] store::ReadError),
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// Polls until told to stop, then waits for the calls under way.
pub(crate) async fn poll(
    lambda: Arc<Lambda>,
    mapping: Arc<Mapping>,
    status: Arc<Status>,
    ready: Ready,
    mut stop: watch::Receiver<bool>,
) {
    let Some(stream) = lambda.bus.directory().stream(&mapping.source) else { return };
    let Ok(filters) = Filters::parse(&mapping.filters, mapping.payload()) else { return };
    let Some(settings) = &mapping.stream else { return };
    let (rules, start) = (Rules::of(&mapping, settings), settings.start);
    let polled = Arc::new(Polled { lambda, mapping, stream, filters, rules, start, status });
    let mut ready = Some(ready);
    let mut running = BTreeSet::new();
    let mut readers = JoinSet::new();
    while !*stop.borrow() {
        match polled.look().await {
            Ok(due) => {
                // From now on no record is missed.
                ready.take();
                for (shard, checkpoint) in due {
                    if running.insert(shard.clone()) {
                        let reader = Reader::new(polled.clone(), shard, checkpoint, stop.clone());
                        readers.spawn(reader.run());
                    }
                }
            }
            Err(error) => {
                tracing::debug!(mapping = polled.mapping.id, %error, "no shards found");
                ready.take_if(|_| matches!(error, Unseen::Stream(StreamError::Missing)));
            }
        }
        tokio::select! {
            Some(ended) = readers.join_next() => {
                if !goes_on(ended, &mut running) {
                    let _ = stop.wait_for(|stop| *stop).await;
                }
            }
            () = polled.lambda.clock.sleep(LOOK_EVERY) => {}
            _ = stop.changed() => {}
        }
    }
    while readers.join_next().await.is_some() {}
}

/// Notes the end of a reader; says whether there is anything to look for.
fn goes_on(ended: Result<(String, End), JoinError>, running: &mut BTreeSet<String>) -> bool {
    match ended {
        Ok((shard, End::OfShard | End::Stopped)) => {
            running.remove(&shard);
            true
        }
        Ok((_, End::OfMapping)) => false,
        Err(error) => {
            tracing::error!(%error, "a shard's reader has failed");
            false
        }
    }
}

impl Polled {
    /// The shards that are to be read now, each with its place. New ones have a row before they are
    /// read; rows of those that are no more go.
    async fn look(&self) -> Result<Vec<(String, Checkpoint)>, Unseen> {
        let (id, source) = (&self.mapping.id, &self.mapping.source);
        let shards = self.stream.shards(source).await?;
        let mut rows = self.lambda.checkpoints(id).await?;
        // Shards that come later are children of known ones: all of their records are new.
        let position = match (rows.is_empty(), self.start) {
            (false, _) | (true, Start::TrimHorizon) => Position::TrimHorizon,
            (true, Start::Latest) => Position::Latest,
            (true, Start::At(moment)) => Position::At(moment),
        };
        let mut new = BTreeMap::new();
        for shard in shards.iter().filter(|shard| !rows.contains_key(&shard.id)) {
            let place = self.stream.begin(source, &shard.id, position).await?;
            new.insert(shard.id.clone(), Checkpoint::begin(place));
        }
        let listed = |id: &str| shards.iter().any(|shard| shard.id == id);
        let gone: Vec<&str> =
            rows.keys().map(String::as_str).filter(|shard| !listed(shard)).collect();
        if !new.is_empty() || !gone.is_empty() {
            let put = new.iter().map(|(shard, row)| (shard.as_str(), Some(row)));
            let changes: Vec<_> = put.chain(gone.iter().map(|shard| (*shard, None))).collect();
            self.lambda.save_checkpoints(id, &changes, Batch::new()).await?;
        }
        rows.extend(new);
        Ok(due(&shards, rows))
    }
}

/// The shards that are not done and whose parents are, or are no more.
fn due(shards: &[Shard], mut rows: BTreeMap<String, Checkpoint>) -> Vec<(String, Checkpoint)> {
    let open: BTreeSet<&str> = shards
        .iter()
        .map(|shard| shard.id.as_str())
        .filter(|id| rows.get(*id).is_some_and(|row| !row.ended))
        .collect();
    let ready = |shard: &&Shard| {
        open.contains(shard.id.as_str())
            && !shard.parents.iter().any(|parent| open.contains(parent.as_str()))
    };
    let ready: Vec<&str> = shards.iter().filter(ready).map(|shard| shard.id.as_str()).collect();
    ready.into_iter().filter_map(|id| rows.remove_entry(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_are_due_when_all_of_their_parents_are_done_or_gone() {
        let shard = |id: &str, parents: &[&str]| Shard {
            id: id.to_owned(),
            parents: parents.iter().map(|it| (*it).to_owned()).collect(),
        };
        let shards = [shard("1", &["0"]), shard("2", &[]), shard("3", &["1", "2"])];
        let due = |ended: &[&str]| {
            let row = |shard: &Shard| {
                let ended = ended.contains(&shard.id.as_str());
                (shard.id.clone(), Checkpoint { ended, ..Checkpoint::default() })
            };
            let due = due(&shards, shards.iter().map(row).collect());
            due.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
        };
        assert_eq!(due(&[]), ["1", "2"], "0 is gone");
        assert_eq!(due(&["1"]), ["2"]);
        assert_eq!(due(&["1", "2"]), ["3"]);
    }
}
