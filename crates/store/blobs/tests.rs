//! Blobs as their users see them.

use std::{fs::File, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use super::*;

async fn store(blobs: &Blobs, chunks: &[Bytes]) -> BlobId {
    let mut writer = blobs.writer().await.unwrap();
    for chunk in chunks {
        writer.write(chunk.clone()).await.unwrap();
    }
    writer.finish().await.unwrap()
}

async fn load(blobs: &Blobs, id: BlobId, range: std::ops::Range<u64>) -> io::Result<Vec<u8>> {
    let chunks: Vec<Bytes> = blobs.read(id, range).await?.try_collect().await?;
    Ok(chunks.concat())
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[tokio::test]
async fn bytes_come_back_whole_and_in_ranges() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(folder.path()).unwrap();
    let chunks: Vec<Bytes> = (0..5_u8).map(|n| vec![n; 700_001].into()).collect();
    let whole = chunks.concat();
    let id = store(&blobs, &chunks).await;
    assert!(load(&blobs, id, 0..whole.len() as u64).await.unwrap() == whole);
    let part = load(&blobs, id, 699_990..2_000_000).await.unwrap();
    assert!(part == whole[699_990..2_000_000]);
    assert_eq!(load(&blobs, id, 7..7).await.unwrap(), b"");
    let error = load(&blobs, id, 0..whole.len() as u64 + 1).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(files(&folder.path().join("unfinished")), 0);
    assert_eq!(fs::read(blobs.path(id)).unwrap().len(), whole.len());
}

#[tokio::test]
async fn an_empty_blob_is_a_blob() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(folder.path()).unwrap();
    let id = store(&blobs, &[]).await;
    assert_eq!(load(&blobs, id, 0..0).await.unwrap(), b"");
}

#[tokio::test]
async fn an_unfinished_blob_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let unfinished = folder.path().join("unfinished");
    let blobs = Blobs::open(folder.path()).unwrap();
    let mut writer = blobs.writer().await.unwrap();
    writer.write(vec![1; 3_000_000].into()).await.unwrap();
    assert_eq!(files(&unfinished), 1);
    drop(writer);
    assert_eq!(files(&unfinished), 0);
    fs::write(unfinished.join("left by a crash"), "").unwrap();
    Blobs::open(folder.path()).unwrap();
    assert_eq!(files(&unfinished), 0);
}

#[tokio::test]
async fn a_deleted_blob_can_still_be_read_by_who_has_begun() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(folder.path()).unwrap();
    let id = store(&blobs, &[vec![7; 100].into()]).await;
    let mut reading = blobs.read(id, 0..100).await.unwrap();
    blobs.delete(vec![id, id]).await.unwrap();
    assert_eq!(reading.next().await.unwrap().unwrap().len(), 100);
    assert_eq!(blobs.read(id, 0..1).await.err().unwrap().kind(), io::ErrorKind::NotFound);
}

#[tokio::test]
async fn orphans_of_earlier_runs_are_collected() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(folder.path()).unwrap();
    let (live, orphan) = (store(&blobs, &[]).await, store(&blobs, &[]).await);
    for id in [live, orphan] {
        let an_hour_ago = blobs.0.opened - Duration::from_secs(3600);
        File::open(blobs.path(id)).unwrap().set_modified(an_hour_ago).unwrap();
    }
    let blobs = Blobs::open(folder.path()).unwrap();
    let of_this_run = store(&blobs, &[]).await;
    assert_eq!(blobs.collect_orphans(move |id| id == live).await.unwrap(), 1);
    assert!(blobs.path(live).exists() && blobs.path(of_this_run).exists());
    assert!(!blobs.path(orphan).exists());
}

#[test]
fn an_id_is_32_lower_case_digits() {
    let id = BlobId::random();
    assert_eq!(BlobId::try_from(id.to_string()), Ok(id));
    for text in ["", "0", "+0000000000000000000000000000001", &"A".repeat(32), &"0".repeat(33)] {
        assert!(BlobId::try_from(text.to_owned()).is_err(), "{text}");
    }
}
