//! A full disk is said so, and nothing that was acknowledged is lost by it. Needs the right to
//! mount a small file system in memory; says so and passes where that right is missing.
#![allow(clippy::unwrap_used, reason = "a test: a failure is a panic")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use bytes::Bytes;
use kit::Millis;
use store::{
    AppendError, Batch, BlobError, CommitError, DataFolder, Durability, Key, Record, SegmentConfig,
    SegmentLog, Store,
};

/// A file system of a known size.
struct SmallDisk {
    path: PathBuf,
    _temporary: tempfile::TempDir,
}

impl SmallDisk {
    fn mount(megabytes: u32) -> Option<SmallDisk> {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("disk");
        fs::create_dir(&path).unwrap();
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "lampejo-test"])
            .arg(&path)
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(SmallDisk { path, _temporary: temporary });
        }
        eprintln!("skipped: no right to mount");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}

fn put(key: &Key, value: Bytes) -> Batch {
    let mut batch = Batch::new();
    batch.put_bytes(key.clone(), value);
    batch
}

fn fill(path: &Path, megabytes: usize) {
    fs::write(path, vec![1; megabytes << 20]).unwrap();
}

#[tokio::test]
async fn what_needs_room_is_refused_until_there_is_room() {
    let Some(disk) = SmallDisk::mount(300) else { return };
    let folder = DataFolder::open(disk.path.join("data")).unwrap();
    let store = Store::open(&folder).unwrap();
    let log = SegmentLog::open(&folder.join("log"), SegmentConfig::default()).unwrap();
    let (old, new) = (Key::table("t").text("old"), Key::table("t").text("new"));
    store.commit(put(&old, "value".into())).await.unwrap();
    let record = || vec![Record { at: Millis(1), bytes: "line".into() }];

    let ballast = disk.path.join("ballast");
    fill(&ballast, 60);
    let full = store.commit(put(&new, "value".into())).await;
    assert!(matches!(full, Err(CommitError::DiskFull)), "{full:?}");
    let full = log.append(1, Millis(1), record(), Durability::Durable).await;
    assert!(matches!(full, Err(AppendError::DiskFull)), "{full:?}");
    let mut writer = store.blobs().writer().await.unwrap();
    writer.write("bytes".into()).await.unwrap();
    let full = writer.finish().await;
    assert!(matches!(full, Err(BlobError::DiskFull)), "{full:?}");
    assert!(store.get(&old).await.unwrap().is_some() && store.get(&new).await.unwrap().is_none());
    let mut removal = Batch::new();
    store.commit(removal.delete(old.clone()).clone()).await.unwrap();

    fs::remove_file(ballast).unwrap();
    store.commit(put(&new, "value".into())).await.unwrap();
    log.append(1, Millis(1), record(), Durability::Durable).await.unwrap();
    let mut writer = store.blobs().writer().await.unwrap();
    writer.write("bytes".into()).await.unwrap();
    writer.finish().await.unwrap();
}

/// More in one batch than the disk and its reserve can take.
#[tokio::test]
async fn after_a_failed_write_nothing_is_written_until_the_store_is_opened_anew() {
    let Some(disk) = SmallDisk::mount(280) else { return };
    let path = disk.path.join("data");
    let table = Key::table("t");
    let key = |n| table.clone().number(n);
    let store = Store::open(&DataFolder::open(&path).unwrap()).unwrap();
    store.commit(put(&key(0), "value".into())).await.unwrap();

    // Journals compress; what does not repeat within 64 KiB stays as large as it is.
    let mut state = 1_u32;
    let value = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    let value: Bytes = value.take(10 << 20).collect::<Vec<_>>().into();
    let mut batch = Batch::new();
    (1..=30).for_each(|n| {
        batch.put_bytes(key(n), value.clone());
    });
    for batch in [batch, put(&key(1), "small".into()), Batch::new()] {
        let stopped = store.commit(batch).await;
        assert!(matches!(stopped, Err(CommitError::Stopped(_))), "{stopped:?}");
    }
    assert!(store.get(&key(0)).await.unwrap().is_some(), "what is there can be read");
    drop(store);

    let store = Store::open(&DataFolder::open(&path).unwrap()).unwrap();
    let rows = store.rows(&table, None, 100).await.unwrap();
    assert_eq!(rows.len(), 1, "nothing of the failed batch");
    store.commit(put(&key(1), "small".into())).await.unwrap();
}
