//! What happens by itself: waiters are woken when a hidden message becomes visible, receives are
//! written behind, and rows of what is over are removed.

use std::{sync::Arc, time::Duration};

use kit::Clock;

use crate::{Sqs, open::OpenQueue, store::Changes};

/// Between a receive and its row. A crash loses receives of this last while at most: a message may
/// then be visible before its time, and its count lack one. Messages that are deleted sooner, as
/// most are, never have the row.
const WRITE_BEHIND: Duration = Duration::from_millis(250);

/// Between two looks for what is over: expired messages, deduplication ids, names of deleted queues.
const LOOK_AFTER: Duration = Duration::from_secs(60);

/// Rows of one commit.
const COMMIT_ROWS: usize = 1_000;

/// Rings queues whose waiters' moment has come.
pub(crate) async fn alarms(sqs: Arc<Sqs>) {
    let mut stop = sqs.stop.subscribe();
    loop {
        let earlier = sqs.bell.earlier.notified();
        tokio::select! {
            () = sleep_until(&sqs.clock, sqs.bell.next()) => {}
            () = earlier => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let now = sqs.clock.now();
        while let Some(place) = sqs.bell.due(now) {
            if let Some(queue) = sqs.shelf.find(&place) {
                queue.ring(now);
            }
        }
    }
}

async fn sleep_until(clock: &Clock, moment: Option<kit::Millis>) {
    match moment {
        Some(moment) => clock.sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Writes behind, and looks after what is over.
pub(crate) async fn keep(sqs: Arc<Sqs>) {
    let mut stop = sqs.stop.subscribe();
    let mut look_after = sqs.clock.now();
    loop {
        let is_time_to_look = tokio::select! {
            () = grown_a_while_ago(&sqs) => false,
            () = sqs.clock.sleep_until(look_after) => true,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        if is_time_to_look {
            look_after = sqs.clock.now().plus(LOOK_AFTER.as_millis() as u64);
            forget(&sqs).await;
        }
        write_behind(&sqs).await;
    }
}

async fn grown_a_while_ago(sqs: &Sqs) {
    sqs.bell.list_grew.notified().await;
    sqs.clock.sleep(WRITE_BEHIND).await;
}

/// Writes the receives that are not in rows yet, and removes the rows of what is gone.
pub(crate) async fn write_behind(sqs: &Sqs) {
    for place in sqs.bell.take_list() {
        let Some(queue) = sqs.shelf.find(&place) else { continue };
        queue.unlist();
        let (unsaved, discarded) =
            queue.with(sqs.clock.now(), |rules| (rules.take_unsaved(), rules.take_discarded()));
        for some in unsaved.chunks(COMMIT_ROWS) {
            let mut changes = Changes::default();
            for (sequence, receives, until) in some {
                changes.put_receives(queue.number, *sequence, *receives, *until);
            }
            commit(sqs, &queue, changes).await;
        }
        for some in discarded.chunks(COMMIT_ROWS) {
            let mut changes = Changes::default();
            for (sequence, rows) in some {
                changes.delete_message(queue.number, *sequence, *rows);
            }
            commit(sqs, &queue, changes).await;
        }
    }
}

/// Forgets what is over. Expired messages are only taken out here; their rows go with the next
/// write behind.
async fn forget(sqs: &Sqs) {
    let now = sqs.clock.now();
    for queue in sqs.shelf.all() {
        let forgotten = queue.with(now, |rules| {
            rules.fifo().map(|fifo| fifo.accepted.expire(now)).unwrap_or_default()
        });
        for some in forgotten.chunks(COMMIT_ROWS) {
            let mut changes = Changes::default();
            some.iter().for_each(|it| changes.delete_accepted(queue.number, it.sequence));
            commit(sqs, &queue, changes).await;
        }
    }
    let mut changes = Changes::default();
    let free = sqs.shelf.forget_deleted(now);
    free.iter().for_each(|place| changes.forget_deleted(place));
    if !free.is_empty()
        && let Err(error) = sqs.rows.commit(changes).await
    {
        tracing::error!(%error, "names of deleted queues are not forgotten");
    }
}

/// A failure loses nothing that was acknowledged: messages that were to go come back at the next
/// start, receives that were to be noted are lost as in a crash.
async fn commit(sqs: &Sqs, queue: &OpenQueue, changes: Changes) {
    if let Err(error) = sqs.rows.commit(changes).await {
        tracing::error!(queue = %queue.place, %error, "writing behind failed");
    }
}
