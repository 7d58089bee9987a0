//! Carrying messages from one queue to another: dead letters, and message move tasks. Each commit
//! removes them here and writes them there.

use std::sync::Arc;

use kit::Millis;

use crate::{
    Sqs,
    entry::{Arrival, Receives, Rows},
    error::Error,
    message::Message,
    open::OpenQueue,
    store::{Changes, rows_of},
};

/// A message on its way.
struct Carried {
    from_sequence: u64,
    rows: Rows,
    to: Arc<OpenQueue>,
    to_sequence: u64,
}

/// Where a message goes, and as what.
pub(crate) struct Fate {
    pub(crate) to: Arc<OpenQueue>,
    pub(crate) message: Message,
    pub(crate) receives: Receives,
}

impl Sqs {
    /// Carries leaving messages to the dead-letter queue.
    pub(crate) async fn bury(
        &self,
        source: &Arc<OpenQueue>,
        target: &Arc<OpenQueue>,
        dead: Vec<u64>,
    ) {
        let now = self.clock.now();
        let arn = source.place.arn();
        let fate = |mut message: Message, receives: Receives| {
            // A standard queue's dead letters keep their age; a FIFO queue's begin anew (developer
            // guide, "Using dead-letter queues").
            if target.place.is_fifo() {
                message.head.sent = now;
            }
            message.head.dead_letter_source = Some(arn.clone());
            let receives =
                Receives { count: receives.count, first: receives.first, ..Default::default() };
            Ok(Fate { to: target.clone(), message, receives })
        };
        if let Err(error) = self.carry(source, &dead, &fate, Changes::default()).await {
            tracing::error!(queue = %source.place, %error, "dead letters stay where they are");
        }
    }

    /// Carries leaving messages to where `fate` says, in one transaction with `changes`. If `fate`
    /// refuses one, or the commit fails, they all stay and are visible again.
    pub(crate) async fn carry(
        &self,
        from: &Arc<OpenQueue>,
        sequences: &[u64],
        fate: &(dyn Fn(Message, Receives) -> Result<Fate, Error> + Sync),
        mut changes: Changes,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let mut carried = Vec::with_capacity(sequences.len());
        let mut outcome = Ok(());
        for sequence in sequences {
            match self.load(from, *sequence, fate).await {
                Ok(Some((fate, rows))) => {
                    carried.push(self.reserve_there(*sequence, rows, fate, now, &mut changes));
                }
                Ok(None) => {}
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        if outcome.is_ok() {
            for it in &carried {
                changes.delete_message(from.number, it.from_sequence, it.rows);
            }
            outcome = self.rows.commit(changes).await.map(drop).map_err(Error::from);
        }
        settle(from, sequences, &carried, &outcome, self.clock.now());
        outcome
    }

    async fn load(
        &self,
        from: &OpenQueue,
        sequence: u64,
        fate: &(dyn Fn(Message, Receives) -> Result<Fate, Error> + Sync),
    ) -> Result<Option<(Fate, Rows)>, Error> {
        let now = self.clock.now();
        let entry = from.with(now, |rules| {
            rules.entry(sequence).map(|it| (it.message(), it.receives, it.rows))
        });
        let Some((message, receives, rows)) = entry else { return Ok(None) };
        let message = match message {
            Some(message) => Some(Message::clone(&message)),
            None => self.rows.message(from.number, sequence).await?,
        };
        message.map(|message| Ok((fate(message, receives)?, rows))).transpose()
    }

    fn reserve_there(
        &self,
        from_sequence: u64,
        rows: Rows,
        fate: Fate,
        now: Millis,
        changes: &mut Changes,
    ) -> Carried {
        let Fate { to, message, receives } = fate;
        let message = Arc::new(message);
        let arrival = Arrival {
            sent: message.head.sent,
            visible: now,
            group: message.head.group.clone(),
            receives,
            rows: rows_of(&message.content),
            message: self.cache.keep(&message),
        };
        let to_sequence = to.with(now, |rules| rules.reserve(arrival));
        changes.put_message((to.number, to_sequence), &message, now, receives);
        Carried { from_sequence, rows, to, to_sequence }
    }
}

fn settle(
    from: &OpenQueue,
    sequences: &[u64],
    carried: &[Carried],
    outcome: &Result<(), Error>,
    now: Millis,
) {
    from.with(now, |rules| {
        for sequence in sequences {
            match outcome {
                Ok(()) => drop(rules.remove(*sequence)),
                Err(_) => rules.confirm(*sequence, now),
            }
        }
    });
    for it in carried {
        it.to.with(now, |rules| match outcome {
            Ok(()) => rules.confirm(it.to_sequence, now),
            Err(_) => drop(rules.remove(it.to_sequence)),
        });
    }
}
