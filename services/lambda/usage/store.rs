//! Rows of usage: by minute for fifteen days, by day for longer, and the chains. Nothing else knows
//! their keys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use store::{Batch, Key, Op, ReadError, Store};

use crate::usage::{Subject, Tally, chain::Chain, chain::Changes};

const MINUTES: &str = "lambda/usage/minute";
const DAYS: &str = "lambda/usage/day";
const CHAINS: &str = "lambda/usage/chain";
const MINUTES_A_DAY: u64 = 24 * 60;
/// As long as CloudWatch keeps points of a minute.
pub(crate) const KEPT_MINUTES: u64 = 15 * MINUTES_A_DAY;
/// Thirteen months, as Cost Explorer, and a few days.
const KEPT_DAYS: u64 = 400;

/// A row: whose, and how much.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) subject: Subject,
    pub(crate) tally: Tally,
}

/// A span of time in whole minutes since the epoch; the end is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Span {
    /// Whether it holds whole days only.
    pub(crate) fn is_of_days(self) -> bool {
        self.from.is_multiple_of(MINUTES_A_DAY) && self.to.is_multiple_of(MINUTES_A_DAY)
    }
}

/// What waits to be written: by minute and subject.
pub(crate) type Pending = std::collections::HashMap<(u64, Subject), Tally>;

fn row(table: &str, period: u64, subject: &Subject) -> Key {
    Key::table(table)
        .number(period)
        .text(subject.account.as_str())
        .text(subject.region.as_str())
        .text(&subject.function)
        .text(&subject.version)
        .text(&subject.qualifier)
        .number(subject.architecture as u64)
}

fn chain_row(root: &str) -> Key {
    Key::table(CHAINS).text(root)
}

/// The batch that adds what is pending to the rows.
pub(crate) async fn addition(
    store: &Store,
    pending: &Pending,
    chains: &Changes,
) -> Result<Batch, ReadError> {
    let mut rows: BTreeMap<Key, Row> = BTreeMap::new();
    for ((minute, subject), tally) in pending {
        for key in [row(MINUTES, *minute, subject), row(DAYS, minute / MINUTES_A_DAY, subject)] {
            if !rows.contains_key(&key) {
                let read = store.read::<Row>(&key).await?;
                let none = || Row { subject: subject.clone(), tally: Tally::default() };
                rows.insert(key.clone(), read.unwrap_or_else(none));
            }
            if let Some(row) = rows.get_mut(&key) {
                row.tally.merge(tally);
            }
        }
    }
    let mut batch = Batch::new();
    for (key, row) in rows {
        batch.put(key, &row);
    }
    for chain in &chains.changed {
        batch.put(chain_row(&chain.root), chain);
    }
    for root in &chains.gone {
        batch.delete(chain_row(root));
    }
    Ok(batch)
}

/// The batch that removes what is older than it is kept.
pub(crate) fn expiry(minute: u64) -> Batch {
    let mut batch = Batch::new();
    let last_minute = minute.saturating_sub(KEPT_MINUTES);
    let last_day = (minute / MINUTES_A_DAY).saturating_sub(KEPT_DAYS);
    for (table, last) in [(MINUTES, last_minute), (DAYS, last_day)] {
        let table = Key::table(table);
        batch.ops.push(Op::DeleteRange(table.clone(), table.number(last)));
    }
    batch
}

/// All rows of a span, in order of time: of days if it holds whole ones, else of minutes. Each with
/// the day that it is part of.
pub(crate) async fn read(store: &Store, span: Span) -> Result<Vec<(u64, Row)>, ReadError> {
    let (table, unit) = if span.is_of_days() { (DAYS, MINUTES_A_DAY) } else { (MINUTES, 1) };
    let table = Key::table(table);
    let end = table.clone().number(span.to / unit);
    let mut after = Some(table.clone().number(span.from / unit));
    let mut found = Vec::new();
    loop {
        let rows = store.list::<Row>(&table, after.as_ref(), PAGE).await?;
        let more = rows.len() == PAGE;
        after = rows.last().map(|(key, _)| key.clone());
        for (key, row) in rows {
            if key >= end {
                return Ok(found);
            }
            let period = period(&key, &table).unwrap_or_default();
            found.push((period * unit / MINUTES_A_DAY, row));
        }
        if !more {
            return Ok(found);
        }
    }
}

/// Rows read at a time.
const PAGE: usize = 1024;

fn period(key: &Key, table: &Key) -> Option<u64> {
    let rest = key.as_bytes().strip_prefix(table.as_bytes())?;
    rest.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
}

/// All chains that are rows.
pub(crate) async fn load_chains(store: &Store) -> Result<Vec<Chain>, ReadError> {
    let mut chains = Vec::new();
    store.scan::<Chain>(&Key::table(CHAINS), |_, chain| chains.push(chain)).await?;
    Ok(chains)
}
