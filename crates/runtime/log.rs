//! One instance's log stream: what its processes print, line by line, and Lambda's own lines
//! between them. Bounded: lines go to the sink in batches, and are dropped and counted while the
//! sink takes none. Never waits.

use std::{
    io,
    os::fd::AsFd,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use kit::{Clock, Millis, ids};
use tokio::sync::Notify;

use crate::{
    extensions::telemetry::{Printed, Telemetry},
    function::{Function, LogLine, LogSink},
    platform::Event,
};

/// Lines reach the sink at the latest this long after they were printed.
pub(crate) const DELAY: Duration = Duration::from_millis(100);
/// Or when there is this much of them.
const BATCH_BYTES: usize = 1 << 20;
/// What a line costs besides its text, so that a batch of empty lines is bounded too.
const LINE_OVERHEAD_BYTES: usize = size_of::<LogLine>();
/// CloudWatch's limit of one event; a longer line goes on in the next.
const LINE_BYTES: usize = 256 * 1024;
/// `X-Amz-Log-Result` holds the last of the log.
const TAIL_BYTES: usize = 4096;
/// How much of one pipe is read before others have their turn.
const TURN_BYTES: usize = 256 * 1024;
const READ_BYTES: usize = 16 * 1024;
/// Our bootstraps write this for a newline within one message.
const SEPARATOR: u8 = 0x1e;

/// How far a pipe was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// There may be more.
    More,
    /// All that is there now.
    All,
    /// Nothing will come any more.
    End,
}

/// A log stream that is being written.
pub(crate) struct Log {
    /// Whom else all of it goes to.
    pub(crate) telemetry: Telemetry,
    function: Arc<Function>,
    stream: String,
    sink: Arc<dyn LogSink>,
    clock: Clock,
    state: Mutex<State>,
    /// Rung when the first line of a batch is written.
    begun: Notify,
}

#[derive(Default)]
struct State {
    /// Unfinished lines of standard output and standard error, first the runtime's.
    unfinished: Vec<Vec<u8>>,
    batch: Vec<LogLine>,
    batch_bytes: usize,
    tail: Vec<u8>,
    dropped: u64,
}

impl Log {
    /// A new stream of the function's log group.
    pub(crate) fn new(function: &Arc<Function>, sink: Arc<dyn LogSink>, clock: Clock) -> Log {
        let day = clock.now().iso8601()[..10].replace('-', "/");
        let stream = format!("{day}/[{}]{}", function.version, ids::hex::<16>());
        let (state, begun, telemetry) = (Mutex::default(), Notify::new(), Telemetry::default());
        Log { telemetry, function: function.clone(), stream, sink, clock, state, begun }
    }

    /// Whose log it is.
    pub(crate) fn function(&self) -> &Arc<Function> {
        &self.function
    }

    /// `YYYY/MM/DD/[version]32 hex digits`.
    pub(crate) fn stream(&self) -> &str {
        &self.stream
    }

    /// Writes a line of ours, newline included.
    pub(crate) fn write(&self, text: String) {
        let now = self.clock.now();
        self.change(|state| state.push(now, text));
    }

    /// Tells what has happened, in the log's own way.
    pub(crate) fn tell(&self, event: &Event<'_>) {
        let now = self.clock.now();
        if let Some(line) = event.line(&self.function, now) {
            self.change(|state| state.push(now, line));
        }
        if self.telemetry.is_wanted() {
            self.telemetry.tell(event, &self.function, now);
        }
    }

    /// Whether anybody reads more than the lines of a log in text.
    pub(crate) fn wants_details(&self) -> bool {
        self.function.logging.json || self.telemetry.is_wanted()
    }

    /// Begins the tail of a new invocation with its first event.
    pub(crate) fn begin_tail(&self, event: &Event<'_>) {
        self.state().tail.clear();
        self.tell(event);
    }

    /// The last 4 KiB since [`Log::begin_tail`].
    pub(crate) fn tail(&self) -> Bytes {
        let state = self.state();
        let from = state.tail.len().saturating_sub(TAIL_BYTES);
        Bytes::copy_from_slice(&state.tail[from..])
    }

    /// Takes what `read` reads of standard output (0) or error (1) of the runtime, or of an extension
    /// (from 2 on), until it would wait, has ended, or it is others' turn.
    pub(crate) fn take(
        &self,
        which: usize,
        mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> Taken {
        let now = self.clock.now();
        let mut buffer = [0; READ_BYTES];
        let mut taken = 0;
        let mut result = Taken::More;
        self.change(|state| {
            while taken < TURN_BYTES {
                match read(&mut buffer) {
                    Ok(0) => return result = Taken::End,
                    Ok(read) => {
                        taken += read;
                        let printed = |state: &mut _, text| self.printed(state, which, now, text);
                        state.take(which, &buffer[..read], printed);
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        return result = Taken::All;
                    }
                    Err(_) => return result = Taken::End,
                }
            }
        });
        result
    }

    /// Takes what there is in a pipe, past tokio's readiness.
    pub(crate) fn drain(&self, which: usize, pipe: impl AsFd) {
        let read = |buffer: &mut [u8]| Ok(rustix::io::read(&pipe, buffer)?);
        // A flood does not hold up its own report.
        if self.take(which, read) == Taken::More {
            self.take(which, read);
        }
    }

    /// Ends lines that were printed without a newline: their invocation is over.
    pub(crate) fn finish_lines(&self) {
        let now = self.clock.now();
        self.change(|state| {
            for which in 0..state.unfinished.len() {
                let line = std::mem::take(&mut state.unfinished[which]);
                if !line.is_empty() {
                    self.printed(state, which, now, text(&line));
                }
            }
        });
    }

    fn printed(&self, state: &mut State, which: usize, at: Millis, text: String) {
        if self.telemetry.is_wanted() {
            let printed = if which < 2 { Printed::Function } else { Printed::Extension };
            self.telemetry.line(printed, self.function.logging.json, at, &text);
        }
        state.push(at, text);
    }

    /// Resolves when there is something to flush.
    pub(crate) async fn begun(&self) {
        self.begun.notified().await;
    }

    /// Hands the batch to the sink.
    pub(crate) fn flush(&self) {
        self.flush_locked(&mut self.state());
    }

    fn flush_locked(&self, state: &mut State) {
        if state.batch.is_empty() {
            return;
        }
        let mut lines = std::mem::take(&mut state.batch);
        state.batch_bytes = 0;
        if !self.sink.is_ready() {
            state.dropped += lines.len() as u64;
            return;
        }
        if state.dropped > 0 {
            let text = format!("[lampejo] {} log lines were dropped\n", state.dropped);
            lines.insert(0, LogLine { at: lines[0].at, text });
            state.dropped = 0;
        }
        self.sink.append(&self.function, &self.stream, lines);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        let was_empty = state.batch.is_empty();
        change(&mut state);
        if state.batch_bytes > BATCH_BYTES {
            self.flush_locked(&mut state);
        } else if was_empty && !state.batch.is_empty() {
            drop(state);
            self.begun.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }
}

impl State {
    fn push(&mut self, at: Millis, text: String) {
        self.tail.extend_from_slice(text.as_bytes());
        if self.tail.len() > 4 * TAIL_BYTES {
            self.tail.drain(..self.tail.len() - TAIL_BYTES);
        }
        self.batch_bytes += text.len() + LINE_OVERHEAD_BYTES;
        self.batch.push(LogLine { at, text });
    }

    fn take(&mut self, which: usize, bytes: &[u8], printed: impl Fn(&mut State, String)) {
        if self.unfinished.len() <= which {
            self.unfinished.resize_with(which + 1, Vec::new);
        }
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            for part in part.chunks(LINE_BYTES) {
                let line = &mut self.unfinished[which];
                line.extend_from_slice(part);
                if line.ends_with(b"\n") || line.len() >= LINE_BYTES {
                    let text = text(line);
                    line.clear();
                    printed(self, text);
                }
            }
        }
    }
}

fn text(line: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(line).into_owned();
    if line.contains(&SEPARATOR) {
        text = text.replace(char::from(SEPARATOR), "\n");
    }
    text
}

#[cfg(test)]
impl Log {
    /// Of a function that logs nowhere.
    pub(crate) fn for_tests() -> Log {
        Log::new(&tests::function(), Arc::new(tests::Kept::default()), Clock::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::{Logging, Tracing};
    use std::sync::atomic::{AtomicBool, Ordering};

    #[derive(Default)]
    pub(super) struct Kept {
        lines: Mutex<Vec<String>>,
        full: AtomicBool,
    }

    impl LogSink for Kept {
        fn append(&self, _: &Arc<Function>, _: &str, lines: Vec<LogLine>) {
            self.lines.lock().unwrap().extend(lines.into_iter().map(|line| line.text));
        }

        fn is_ready(&self) -> bool {
            !self.full.load(Ordering::Acquire)
        }
    }

    pub(super) fn function() -> Arc<Function> {
        Arc::new(Function {
            key: "k".into(),
            name: "f".into(),
            version: "$LATEST".into(),
            account: kit::AccountId::DEFAULT,
            role: String::new(),
            region: kit::Region::default(),
            runtime: "provided.al2023".into(),
            handler: "h".into(),
            memory_mib: 128,
            timeout: Duration::from_secs(3),
            ephemeral_mib: 512,
            environment: Default::default(),
            code: "/".into(),
            image: None,
            layers: vec![],
            log_group: "/aws/lambda/f".into(),
            tracing: Tracing::PassThrough,
            logging: Logging::default(),
            snap_start: false,
            idle: None,
            network: None,
        })
    }

    fn print(log: &Log, which: usize, mut bytes: &[u8]) -> Taken {
        log.take(which, |buffer| {
            let read = bytes.len().min(buffer.len());
            buffer[..read].copy_from_slice(&bytes[..read]);
            bytes = &bytes[read..];
            if read == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(read) }
        })
    }

    #[test]
    fn printed_lines_come_whole_and_in_order() {
        let kept = Arc::new(Kept::default());
        let log = Log::new(&function(), kept.clone(), Clock::default());
        assert_eq!(print(&log, 0, "one\ntwo ü\x1estill two\nthr".as_bytes()), Taken::All);
        print(&log, 1, b"oops\n");
        print(&log, 0, b"ee\nend");
        log.finish_lines();
        log.flush();
        let lines = kept.lines.lock().unwrap().clone();
        assert_eq!(lines, ["one\n", "two ü\nstill two\n", "oops\n", "three\n", "end"]);
    }

    #[test]
    fn a_flood_leaves_others_their_turn() {
        let log = Log::new(&function(), Arc::new(Kept::default()), Clock::default());
        assert_eq!(print(&log, 0, &vec![b'x'; 4 * TURN_BYTES]), Taken::More);
        assert!(log.state().unfinished[0].len() < 2 * LINE_BYTES);
    }

    #[test]
    fn a_flood_of_empty_lines_is_bounded_too() {
        let log = Log::new(&function(), Arc::new(Kept::default()), Clock::default());
        print(&log, 0, &vec![b'\n'; TURN_BYTES]);
        assert!(log.state().batch.len() * size_of::<LogLine>() <= BATCH_BYTES);
    }

    #[test]
    fn lines_that_the_sink_does_not_take_are_dropped_and_counted() {
        let kept = Arc::new(Kept::default());
        let log = Log::new(&function(), kept.clone(), Clock::default());
        kept.full.store(true, Ordering::Release);
        (0..100_000).for_each(|i| log.write(format!("line {i} of a flood that nobody reads\n")));
        log.flush();
        assert!(log.state().batch.is_empty());
        kept.full.store(false, Ordering::Release);
        log.write("heard\n".into());
        log.flush();
        let lines = kept.lines.lock().unwrap().clone();
        assert_eq!(lines, ["[lampejo] 100000 log lines were dropped\n", "heard\n"]);
    }

    #[test]
    fn the_tail_is_the_last_4_kib_of_the_invocation() {
        let log = Log::new(&function(), Arc::new(Kept::default()), Clock::default());
        log.write("before\n".into());
        log.begin_tail(&Event::Start { request_id: "r", trace: "" });
        assert_eq!(log.tail(), "START RequestId: r Version: $LATEST\n");
        (0..10_000).for_each(|i| log.write(format!("{i}\n")));
        let tail = log.tail();
        assert_eq!(tail.len(), 4096);
        assert!(tail.ends_with(b"9998\n9999\n"));
    }
}
