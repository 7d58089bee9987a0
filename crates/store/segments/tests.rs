//! The log as its users see it.

use std::fs::OpenOptions;

use super::*;

const SMALL: SegmentConfig = SegmentConfig { segment_bytes: 2_000 };

fn records(times: std::ops::Range<u64>) -> Vec<Record> {
    let record = |at| Record { at: Millis(at), bytes: format!("line {at}").into() };
    times.map(record).collect()
}

fn query(stream: u64, direction: Direction) -> Query {
    let (from, to) = (Millis(0), Millis(u64::MAX));
    Query { stream, from, to, after: None, limit: 10_000, direction }
}

async fn append(log: &SegmentLog, stream: u64, times: std::ops::Range<u64>) -> Vec<Position> {
    log.append(stream, Millis(9), records(times), Durability::Durable).await.unwrap()
}

async fn times(log: &SegmentLog, query: Query) -> Vec<u64> {
    log.read(query).await.unwrap().entries.iter().map(|entry| entry.at.0).collect()
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "log")).collect();
    files.sort();
    files
}

/// Two streams that take turns, over several segments.
async fn two_streams(folder: &Path) -> SegmentLog {
    let log = SegmentLog::open(folder, SMALL).unwrap();
    for turn in 0..20 {
        append(&log, 1, turn * 10..turn * 10 + 10).await;
        append(&log, 2, turn * 10 + 1_000..turn * 10 + 1_010).await;
    }
    log
}

#[tokio::test]
async fn each_stream_reads_its_own_records_either_way() {
    let folder = tempfile::tempdir().unwrap();
    let log = two_streams(folder.path()).await;
    let all: Vec<u64> = (0..200).collect();
    assert_eq!(times(&log, query(1, Direction::Forward)).await, all);
    let back: Vec<u64> = all.iter().rev().copied().collect();
    assert_eq!(times(&log, query(1, Direction::Backward)).await, back);
    let (from, to) = (Millis(1_050), Millis(1_060));
    let some = Query { from, to, ..query(2, Direction::Forward) };
    assert_eq!(times(&log, some).await, (1_050..1_060).collect::<Vec<_>>());
    assert_eq!(times(&log, query(3, Direction::Forward)).await, [0_u64; 0]);
    let entry = log.read(query(1, Direction::Forward)).await.unwrap().entries.remove(7);
    assert_eq!((entry.at, entry.taken, &entry.bytes[..]), (Millis(7), Millis(9), &b"line 7"[..]));
}

#[tokio::test]
async fn pages_go_on_where_the_last_one_ended() {
    let folder = tempfile::tempdir().unwrap();
    let log = two_streams(folder.path()).await;
    for direction in [Direction::Forward, Direction::Backward] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let asked = Query { after, limit: 7, ..query(2, direction) };
            let page = log.read(asked).await.unwrap();
            after = page.entries.last().map(|entry| entry.position);
            seen.extend(page.entries.iter().map(|entry| entry.at.0));
            if !page.more {
                break;
            }
        }
        if direction == Direction::Backward {
            seen.reverse();
        }
        assert_eq!(seen, (1_000..1_200).collect::<Vec<_>>(), "{direction:?}");
    }
}

#[tokio::test]
async fn a_page_is_bounded_in_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let log = SegmentLog::open(folder.path(), SegmentConfig::default()).unwrap();
    for _ in 0..12 {
        let record = Record { at: Millis(1), bytes: vec![7; 1 << 20].into() };
        log.append(1, Millis(1), vec![record], Durability::Lazy).await.unwrap();
    }
    let page = log.read(query(1, Direction::Forward)).await.unwrap();
    assert_eq!((page.entries.len(), page.more), (4, true));
    assert_eq!(log.stream_bytes(1), 12 << 20);
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let log = two_streams(folder.path()).await;
    let before = log.read(query(2, Direction::Forward)).await.unwrap();
    let bytes = log.stream_bytes(2);
    drop(log);
    for damage_an_index in [false, true] {
        if damage_an_index {
            fs::write(folder.path().join("0000000002.idx"), "damaged").unwrap();
        }
        let log = SegmentLog::open(folder.path(), SMALL).unwrap();
        assert_eq!(log.read(query(2, Direction::Forward)).await.unwrap(), before);
        assert_eq!(log.stream_bytes(2), bytes);
    }
    let log = SegmentLog::open(folder.path(), SMALL).unwrap();
    let next = append(&log, 2, 5_000..5_001).await;
    assert!(next[0] > before.entries[199].position, "positions go on growing");
    assert_eq!(times(&log, query(2, Direction::Backward)).await[..2], [5_000, 1_199]);
}

#[tokio::test]
async fn a_torn_end_is_cut_off_wherever_it_is_torn() {
    let folder = tempfile::tempdir().unwrap();
    let log = SegmentLog::open(folder.path(), SegmentConfig::default()).unwrap();
    let last = append(&log, 1, 0..3).await[2];
    drop(log);
    let segment = segments(folder.path()).remove(0);
    let whole = fs::read(&segment).unwrap();
    let kept = Position::new(1, whole.len() as u32).number() - last.number();
    for cut in whole.len() - kept as usize + 1..whole.len() {
        fs::write(&segment, &whole[..cut]).unwrap();
        let log = SegmentLog::open(folder.path(), SegmentConfig::default()).unwrap();
        assert_eq!(times(&log, query(1, Direction::Forward)).await, [0, 1], "cut at {cut}");
        assert_eq!(append(&log, 1, 7..8).await, [last], "the place is used again");
        assert_eq!(times(&log, query(1, Direction::Forward)).await, [0, 1, 7]);
    }
}

#[tokio::test]
async fn what_a_crash_left_of_a_new_segment_becomes_one() {
    let folder = tempfile::tempdir().unwrap();
    for bytes in [&b""[..], b"lmp"] {
        fs::write(folder.path().join("0000000001.log"), bytes).unwrap();
        let log = SegmentLog::open(folder.path(), SMALL).unwrap();
        append(&log, 1, 0..2).await;
        drop(log);
        let log = SegmentLog::open(folder.path(), SMALL).unwrap();
        assert_eq!(times(&log, query(1, Direction::Forward)).await, [0, 1]);
    }
    fs::write(folder.path().join("0000000002.log"), "something else").unwrap();
    assert!(SegmentLog::open(folder.path(), SMALL).is_err(), "what is not ours is not touched");
}

#[tokio::test]
async fn segments_without_a_living_record_are_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let log = two_streams(folder.path()).await;
    let before = segments(folder.path()).len();
    assert!(before > 5, "{before} segments");
    assert_eq!(log.retain(|_| Some(Millis(0))).await.unwrap(), 0);
    let freed =
        log.retain(|stream| Some(Millis(if stream == 1 { 100 } else { 1_100 }))).await.unwrap();
    let after = segments(folder.path()).len();
    assert!(freed > 0 && after < before, "{freed} bytes, {before} and then {after} segments");
    assert_eq!(
        times(&log, query(1, Direction::Backward)).await[..100],
        (100..200).rev().collect::<Vec<_>>()
    );
    log.retain(|stream| (stream == 2).then_some(Millis(1_100))).await.unwrap();
    assert_eq!(log.stream_bytes(1), 0);
    log.retain(|_| None).await.unwrap();
    assert_eq!(segments(folder.path()).len(), 1, "the one that grows");
    let indexes = fs::read_dir(folder.path()).unwrap().count() - 1;
    assert_eq!(indexes, 0);
    append(&log, 3, 0..1).await;
    drop(log);
    let log = SegmentLog::open(folder.path(), SMALL).unwrap();
    assert_eq!(times(&log, query(3, Direction::Forward)).await, [0]);
}

async fn append_a_hundred(log: SegmentLog, stream: u64) {
    for at in 0..100 {
        let durability = if at % 10 == 0 { Durability::Durable } else { Durability::Lazy };
        log.append(stream, Millis(0), records(at..at + 1), durability).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_append_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = SegmentLog::open(folder.path(), SegmentConfig { segment_bytes: 20_000 }).unwrap();
    let streams = (0..16).map(|stream| tokio::spawn(append_a_hundred(log.clone(), stream)));
    futures::future::join_all(streams).await.into_iter().for_each(Result::unwrap);
    for stream in 0..16 {
        let all: Vec<u64> = (0..100).collect();
        assert_eq!(times(&log, query(stream, Direction::Forward)).await, all);
    }
}

#[tokio::test]
async fn a_damaged_record_is_an_error_and_not_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let log = SegmentLog::open(folder.path(), SMALL).unwrap();
    append(&log, 1, 0..3).await;
    let file = OpenOptions::new().write(true).open(segments(folder.path()).remove(0)).unwrap();
    std::os::unix::fs::FileExt::write_at(&file, b"X", 8 + 32).unwrap();
    let error = log.read(query(1, Direction::Forward)).await.unwrap_err().to_string();
    assert!(error.contains("is damaged at byte 8"), "{error}");
}

#[tokio::test]
async fn spans_hold_all_records_of_their_times() {
    let folder = tempfile::tempdir().unwrap();
    let log = two_streams(folder.path()).await;
    let range = Millis(50)..Millis(120);
    let spans = log.spans(1, range.clone());
    assert!(spans.iter().all(|span| span.earliest() < range.end && span.latest() >= range.start));
    let read = |span| log.read_span(span, range.clone()).unwrap();
    let times: Vec<u64> = spans.iter().flat_map(read).map(|entry| entry.at.0).collect();
    assert_eq!(times, (50..120).collect::<Vec<_>>());
    assert!(spans.iter().all(|span| span.read_bytes() > 0));
    assert!(log.spans(3, range).is_empty());
}
