//! The embedded engine keeps what an engine promises.

use store::{Batch, DataFolder, Engine, FjallEngine, Key, Store, behaviour};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_engine_keeps_every_promise() {
    let folder = tempfile::tempdir().unwrap();
    let engine = FjallEngine::open(&folder.path().join("rows")).unwrap();
    behaviour::run(&engine).await;
}

#[tokio::test]
async fn rows_and_the_growth_of_versions_survive_reopening() {
    let temporary = tempfile::tempdir().unwrap();
    let table = Key::table("t");
    let mut last = 0;
    for round in 0..4_u64 {
        let folder = DataFolder::open(temporary.path()).unwrap();
        let store = Store::open(&folder).unwrap();
        let rows = store.list::<u64>(&table, None, 100).await.unwrap();
        assert_eq!(rows.len() as u64, round);
        let mut batch = Batch::new();
        batch.put(table.clone().number(round), &round);
        let version = store.commit(batch).await.unwrap();
        assert!(version > last, "{version} follows {last}");
        last = version;
    }
}

#[tokio::test]
async fn a_scan_hands_over_every_row_once_and_in_order() {
    let temporary = tempfile::tempdir().unwrap();
    let store = Store::open(&DataFolder::open(temporary.path()).unwrap()).unwrap();
    let table = Key::table("t");
    let mut batch = Batch::new();
    for n in 0..3_000_u64 {
        batch.put(table.clone().number(n), &n);
    }
    store.commit(batch).await.unwrap();
    let mut seen = Vec::new();
    store.scan::<u64>(&table, |_, n| seen.push(n)).await.unwrap();
    assert!(seen == (0..3_000).collect::<Vec<_>>(), "{} rows", seen.len());
    let page = store.list::<u64>(&table, Some(&table.clone().number(9)), 2).await.unwrap();
    assert_eq!(page.iter().map(|row| row.1).collect::<Vec<_>>(), [10, 11]);
}

#[tokio::test]
async fn a_folder_is_free_when_its_store_is_dropped() {
    let temporary = tempfile::tempdir().unwrap();
    let store = Store::open(&DataFolder::open(temporary.path()).unwrap()).unwrap();
    DataFolder::open(temporary.path()).unwrap_err();
    drop(store);
    let folder = DataFolder::open(temporary.path()).unwrap();
    let engine = FjallEngine::open(&folder.join("rows")).unwrap();
    engine.commit(Batch::new()).await.unwrap();
}
