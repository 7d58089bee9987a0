//! What remains of deliveries that no target took: a row each, for fourteen days.

use std::time::Duration;

use kit::Millis;
use serde::{Deserialize, Serialize};
use store::{Batch, Key, ReadError, Store};

use crate::Delivery;

/// How long a dead letter is kept. Ours: as long as SQS keeps a message at most.
const KEPT: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// Rows read at a time.
const PAGE: usize = 256;

/// What remains of a delivery that no target took.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Dead {
    pub(crate) delivery: Delivery,
    pub(crate) reason: String,
    pub(crate) at: Millis,
}

/// What a sweep found: how many stay, and the removal of the others.
pub(crate) struct Sweep {
    pub(crate) kept: usize,
    pub(crate) removal: Batch,
}

/// The key of a dead-letter record.
pub(crate) fn row(number: u64) -> Key {
    Key::table("bus/dead").number(number)
}

/// Looks at all dead letters.
pub(crate) async fn sweep(store: &Store, now: Millis) -> Result<Sweep, ReadError> {
    let table = Key::table("bus/dead");
    let mut sweep = Sweep { kept: 0, removal: Batch::new() };
    let mut after = None;
    loop {
        let rows = store.list::<Dead>(&table, after.as_ref(), PAGE).await?;
        after = rows.last().map(|(key, _)| key.clone());
        let more = rows.len() == PAGE;
        for (key, dead) in rows {
            if now.since(dead.at) > KEPT.as_millis() as u64 {
                sweep.removal.delete(key);
            } else {
                sweep.kept += 1;
            }
        }
        if !more {
            return Ok(sweep);
        }
    }
}
