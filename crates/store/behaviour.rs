//! What every engine must do. An engine's test calls [`run`] on an empty engine; a broken promise
//! panics with the check that failed.
#![allow(clippy::unwrap_used, reason = "a test suite: a failure is a panic")]

use bytes::Bytes;
use futures::future::join_all;

use crate::{Batch, CommitError, Engine, Key, Row};

/// Runs all checks, one after the other.
///
/// # Panics
/// The engine breaks a promise.
pub async fn run(engine: &dyn Engine) {
    a_batch_is_written_whole_or_not_at_all(engine).await;
    checks_decide(engine).await;
    versions_grow_with_every_write(engine).await;
    operations_apply_in_order(engine).await;
    ranges_are_ordered_and_bounded(engine).await;
    a_range_is_removed_at_once(engine).await;
    large_values_come_back(engine).await;
    one_of_many_conditional_puts_wins(engine).await;
    everybody_reads_what_was_acknowledged(engine).await;
    a_range_is_read_at_one_moment(engine).await;
}

async fn a_batch_is_written_whole_or_not_at_all(engine: &dyn Engine) {
    let table = Key::table("atomicity");
    let (a, b) = (table.clone().number(1), table.clone().number(2));
    put(engine, &a, "first").await;
    let mut batch = Batch::new();
    batch.put_bytes(b.clone(), "second".into()).absent(a.clone());
    conflicts(engine, batch, &a).await;
    assert!(engine.get(&b).await.unwrap().is_none(), "nothing of a refused batch is written");
    assert_eq!(text(engine, &a).await.as_deref(), Some("first"));
    let mut batch = Batch::new();
    batch.put_bytes(b.clone(), "second".into()).delete(a.clone()).present(a.clone());
    engine.commit(batch).await.unwrap();
    assert_eq!((text(engine, &a).await, text(engine, &b).await), (None, Some("second".into())));
    engine.commit(Batch::new()).await.unwrap();
}

async fn checks_decide(engine: &dyn Engine) {
    let key = Key::table("checks").text("row");
    let mut present = Batch::new();
    conflicts(engine, present.present(key.clone()).clone(), &key).await;
    let mut versioned = Batch::new();
    conflicts(engine, versioned.version(key.clone(), 1).clone(), &key).await;
    let version = put(engine, &key, "row").await;
    let mut absent = Batch::new();
    conflicts(engine, absent.absent(key.clone()).clone(), &key).await;
    let mut old = Batch::new();
    conflicts(engine, old.version(key.clone(), version - 1).clone(), &key).await;
    let mut both = Batch::new();
    both.version(key.clone(), version).present(key.clone()).delete(key.clone());
    engine.commit(both).await.unwrap();
    let mut gone = Batch::new();
    engine.commit(gone.absent(key.clone()).clone()).await.unwrap();
    conflicts(engine, present, &key).await;
}

async fn versions_grow_with_every_write(engine: &dyn Engine) {
    let key = Key::table("versions").text("row");
    let first = put(engine, &key, "same").await;
    assert_eq!(engine.get(&key).await.unwrap().unwrap().version, first);
    let second = put(engine, &key, "same").await;
    assert!(second > first, "{second} follows {first}");
    let row = engine.range(&key, &key.clone().end(), 1).await.unwrap().remove(0);
    assert_eq!((row.version, row.key), (second, key));
}

async fn operations_apply_in_order(engine: &dyn Engine) {
    let table = Key::table("order");
    let (a, b) = (table.clone().text("a"), table.clone().text("b"));
    let mut batch = Batch::new();
    batch.put_bytes(a.clone(), "1".into()).put_bytes(b.clone(), "1".into());
    batch.delete_all(table).put_bytes(a.clone(), "2".into());
    batch.delete(b.clone()).put_bytes(b.clone(), "3".into()).delete(b.clone());
    engine.commit(batch).await.unwrap();
    assert_eq!((text(engine, &a).await, text(engine, &b).await), (Some("2".into()), None));
}

async fn ranges_are_ordered_and_bounded(engine: &dyn Engine) {
    let table = Key::table("ranges");
    let key = |n| table.clone().number(n);
    let mut batch = Batch::new();
    for n in [9, 3, 300, 0, u64::MAX] {
        batch.put_bytes(key(n), "".into());
    }
    batch.put_bytes(Key::table("ranges2").number(4), "".into());
    engine.commit(batch).await.unwrap();
    let (from, to) = (table.clone(), table.clone().end());
    let all: Vec<Key> = [0, 3, 9, 300, u64::MAX].map(key).into();
    assert_eq!(keys(engine.range(&from, &to, 100).await.unwrap()), all);
    assert_eq!(keys(engine.range(&from, &to, 100_000).await.unwrap()), all);
    assert_eq!(keys(engine.range(&from, &to, 2).await.unwrap()), all[..2]);
    assert_eq!(keys(engine.range(&key(3), &key(300), 100).await.unwrap()), all[1..3]);
    let back: Vec<Key> = all.iter().rev().cloned().collect();
    assert_eq!(keys(engine.range_back(&from, &to, 100).await.unwrap()), back);
    assert_eq!(keys(engine.range_back(&key(3), &key(300), 1).await.unwrap()), back[2..3]);
    assert!(engine.range(&to, &from, 100).await.unwrap().is_empty(), "an inverted range is empty");
    assert!(engine.range(&from, &to, 0).await.unwrap().is_empty());
}

async fn a_range_is_removed_at_once(engine: &dyn Engine) {
    let table = Key::table("removal");
    let mut batch = Batch::new();
    for n in 0..1_000 {
        batch.put_bytes(table.clone().number(n), "row".into());
    }
    batch.put_bytes(Key::table("removal2"), "neighbour".into());
    engine.commit(batch).await.unwrap();
    let mut batch = Batch::new();
    batch.delete_all(table.clone()).put_bytes(table.clone().number(7), "new".into());
    engine.commit(batch).await.unwrap();
    let left = engine.range(&table, &table.clone().end(), 10).await.unwrap();
    assert_eq!(keys(left), [table.number(7)]);
    assert!(text(engine, &Key::table("removal2")).await.is_some());
}

async fn large_values_come_back(engine: &dyn Engine) {
    let key = Key::table("large").text("row");
    let value = Bytes::from((0..4_000_000_u32).map(|n| (n % 251) as u8).collect::<Vec<_>>());
    let mut batch = Batch::new();
    batch.put_bytes(key.clone(), value.clone()).put_bytes(Key::table("large"), Bytes::new());
    engine.commit(batch).await.unwrap();
    assert!(engine.get(&key).await.unwrap().unwrap().bytes == value, "the same four megabytes");
    assert_eq!(text(engine, &Key::table("large")).await.as_deref(), Some(""));
}

async fn one_of_many_conditional_puts_wins(engine: &dyn Engine) {
    let table = Key::table("contention");
    for round in 0..20 {
        let key = table.clone().number(round);
        let claims = (0..8).map(|claimant: u8| {
            let mut batch = Batch::new();
            batch.absent(key.clone()).put_bytes(key.clone(), vec![claimant].into());
            engine.commit(batch)
        });
        let results = join_all(claims).await;
        let winner = results.iter().position(Result::is_ok).unwrap();
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        let row = engine.get(&key).await.unwrap().unwrap();
        assert_eq!(row.bytes, vec![winner as u8]);
        let changes = (0..8).map(|_| {
            let mut batch = Batch::new();
            batch.version(key.clone(), row.version).put_bytes(key.clone(), "changed".into());
            engine.commit(batch)
        });
        let results = join_all(changes).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    }
}

async fn everybody_reads_what_was_acknowledged(engine: &dyn Engine) {
    let table = Key::table("acknowledged");
    let clients = (0..16).map(|client| {
        let table = table.clone().number(client);
        async move {
            for n in 0..50 {
                let key = table.clone().number(n);
                let version = put(engine, &key, "row").await;
                assert_eq!(engine.get(&key).await.unwrap().map(|row| row.version), Some(version));
                let rows = engine.range(&table, &table.clone().end(), 100).await.unwrap();
                assert_eq!(rows.len() as u64, n + 1, "a range sees it too");
            }
        }
    });
    join_all(clients).await;
}

/// Every batch keeps the two rows equal, so whoever reads both in one range finds them equal.
async fn a_range_is_read_at_one_moment(engine: &dyn Engine) {
    let table = Key::table("moment");
    let writes = async {
        for n in 0..200 {
            let mut batch = Batch::new();
            for row in 0..2 {
                batch.put_bytes(table.clone().number(row), format!("{n}").into());
            }
            engine.commit(batch).await.unwrap();
        }
    };
    let reads = async {
        for _ in 0..1_000 {
            let rows = engine.range(&table, &table.clone().end(), 2).await.unwrap();
            assert!(rows.windows(2).all(|pair| pair[0].bytes == pair[1].bytes), "{rows:?}");
            tokio::task::yield_now().await;
        }
    };
    futures::join!(writes, reads);
}

async fn put(engine: &dyn Engine, key: &Key, value: &'static str) -> u64 {
    let mut batch = Batch::new();
    batch.put_bytes(key.clone(), Bytes::from_static(value.as_bytes()));
    engine.commit(batch).await.unwrap()
}

async fn text(engine: &dyn Engine, key: &Key) -> Option<String> {
    let row = engine.get(key).await.unwrap()?;
    Some(String::from_utf8(row.bytes.to_vec()).unwrap())
}

async fn conflicts(engine: &dyn Engine, batch: Batch, on: &Key) {
    match engine.commit(batch).await {
        Err(CommitError::Conflict(key)) => assert_eq!(&key, on),
        other => panic!("{other:?} where {on:?} conflicts"),
    }
}

fn keys(rows: Vec<Row>) -> Vec<Key> {
    rows.into_iter().map(|row| row.key).collect()
}
