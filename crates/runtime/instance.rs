//! A running instance: its sandbox, its desk, its log, and the one task that keeps it. What it runs
//! beside its first program is in `programs`.

mod programs;

use std::{
    io,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use kit::{Clock, Millis};
use network::Network;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};

use crate::{
    api, bound,
    desk::Desk,
    extensions::shutdown::Reason,
    function::{Function, Place, Report, Restored, Surroundings},
    log::{self, Log, Taken},
    memory::Share,
    rest::Rest,
    sandbox::{Exit, Sandboxed},
    snapshots::Snapshot,
    start::Initialization,
    timeline::{Marks, Record},
    xray,
};
use programs::Programs;
pub(crate) use programs::Role;

/// Connections of one instance to the Runtime API at once: its runtime's and its extensions'.
const MAX_CONNECTIONS: usize = 32;
/// Connections of one instance to the AWS API at once; more wait until one has ended. An instance
/// may not use up the server's descriptors.
const MAX_AWS_CONNECTIONS: usize = 256;
/// Bytes of all bodies that one instance's requests to the AWS API may have at once: nor the server's
/// memory. The greatest request, a function's code, has 67 MiB.
const MAX_AWS_BODY_BYTES: usize = 128 << 20;
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// One place among the pool's instances; dropping it frees it.
pub(crate) struct Seat(Arc<AtomicUsize>);

impl Seat {
    /// A place, if fewer than `limit` are taken.
    pub(crate) fn take(taken: &Arc<AtomicUsize>, limit: usize) -> Option<Seat> {
        let one_more = |count: usize| (count < limit).then_some(count + 1);
        taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).ok()?;
        Some(Seat(taken.clone()))
    }

    /// A place beyond the limit, for whoever has made another instance go.
    pub(crate) fn take_over(taken: &Arc<AtomicUsize>) -> Seat {
        taken.fetch_add(1, Ordering::AcqRel);
        Seat(taken.clone())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What an instance takes up; dropping it frees both.
pub(crate) struct Slot {
    _seat: Seat,
    memory: Share,
}

impl Slot {
    pub(crate) fn new(seat: Seat, memory: Share) -> Slot {
        Slot { _seat: seat, memory }
    }
}

/// An instance whose init somebody awaits. Dropped before it is over, it stops the instance: nobody
/// else would ever ask for it.
pub(crate) struct Unready<'a>(pub(crate) &'a Instance);

impl Unready<'_> {
    /// Its init is over.
    pub(crate) fn ready(self) {
        std::mem::forget(self);
    }
}

impl Drop for Unready<'_> {
    fn drop(&mut self) {
        self.0.stop(Reason::Failure);
    }
}

/// A started instance.
pub(crate) struct Instance {
    /// Whose it is.
    pub(crate) function: Arc<Function>,
    /// Where it meets the pool.
    pub(crate) desk: Arc<Desk>,
    /// What it prints.
    pub(crate) log: Arc<Log>,
    /// How it came to ready, until the first invocation has reported it.
    pub(crate) beginning: Mutex<Option<Beginning>>,
    /// What it was started for.
    pub(crate) initialization: Initialization,
    /// When its credentials were made.
    pub(crate) born: Millis,
    /// Its start, once that is over.
    pub(crate) record: OnceLock<Arc<Record>>,
    /// When all was there that its start needed.
    fetched: Instant,
    /// Whether it stands still.
    pub(crate) rest: Arc<Rest>,
    /// Its processes.
    pub(crate) sandboxed: Sandboxed,
    programs: Programs,
    /// Ends with the last instance that was forked from it.
    _snapshot: Option<Arc<Snapshot>>,
    slot: Slot,
    /// Whether it has run since it was weighed last.
    has_run: AtomicBool,
}

/// What the report of an instance's first invocation says of its start.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Beginning {
    /// Milliseconds of its init.
    Init(f64),
    /// It was restored.
    Restore(Restored),
}

impl Instance {
    /// Of a sandbox that has just been started. Somebody must [`Instance::keep`] it.
    pub(crate) fn new(
        function: Arc<Function>,
        log: Arc<Log>,
        (sandboxed, first): (Sandboxed, Role),
        slot: Slot,
        snapshot: Option<Arc<Snapshot>>,
        (initialization, born, fetched): (Initialization, Millis, Instant),
    ) -> Instance {
        Instance {
            function,
            desk: Arc::default(),
            log,
            beginning: Mutex::new(None),
            initialization,
            born,
            record: OnceLock::new(),
            fetched,
            rest: Arc::default(),
            sandboxed,
            programs: Programs::new(first),
            _snapshot: snapshot,
            slot,
            has_run: AtomicBool::new(true),
        }
    }

    /// Whether it is one of those that are always ready.
    pub(crate) fn is_provisioned(&self) -> bool {
        self.initialization == Initialization::Provisioned
    }

    /// Its process on the host.
    pub(crate) fn pid(&self) -> u32 {
        self.sandboxed.pid
    }

    /// Ends it: at once, or if it has extensions as soon as they have been told. Does not wait. The
    /// first reason stays.
    pub(crate) fn stop(&self, reason: Reason) {
        if self.desk.has_extensions() {
            // Who stands still hears nothing.
            self.wake();
            self.programs.begin_end(reason);
        } else {
            self.kill();
        }
    }

    /// Ends it to make room: what it holds counts no longer, as it is free before anything else has
    /// come to use it.
    pub(crate) fn make_room(&self) {
        self.stop(Reason::Spindown);
        self.slot.memory.set(0);
    }

    /// The memory that it held when it was weighed last, or has reserved, in bytes.
    pub(crate) fn weight(&self) -> u64 {
        self.slot.memory.bytes()
    }

    /// Looks at the memory that it holds.
    pub(crate) fn weigh(&self) {
        if let Some(bytes) = self.sandboxed.memory_bytes() {
            self.slot.memory.set(bytes);
        }
    }

    /// Whether it may hold other memory than when it was weighed last.
    pub(crate) fn has_run(&self) -> bool {
        self.has_run.swap(false, Ordering::AcqRel) || self.desk.settled_now().is_none()
    }

    /// It has run an invocation.
    pub(crate) fn ran(&self, report: &Report) {
        self.slot.memory.grow(u64::from(report.max_memory_mib) << 20);
        self.has_run.store(true, Ordering::Release);
        if let Some(record) = self.record.get() {
            record.invoked(report);
        }
    }

    /// What is known of the times of its start.
    pub(crate) fn marks(&self) -> Marks {
        let (furnished, loaded) = (self.sandboxed.furnished, self.desk.loaded.get().copied());
        Marks { fetched: Some(self.fetched), furnished, loaded }
    }

    fn kill(&self) {
        self.sandboxed.kill();
    }

    /// Init is over: its processor time is its share from now on.
    pub(crate) fn begin_throttle(&self) {
        if let Err(error) = self.sandboxed.begin_throttle() {
            tracing::warn!(%error, function = self.function.name, "no limit of processor time");
        }
    }

    /// An invocation comes: it must not stand still.
    pub(crate) fn wake(&self) {
        if let Err(error) = self.rest.end(|| self.sandboxed.freeze(false)) {
            tracing::warn!(%error, function = self.function.name, "an instance was not thawed");
        }
    }

    /// Freezes it whenever it idles, if it can be.
    async fn stand_still(&self, clock: &Clock) {
        if self.sandboxed.freezes() {
            let error = self.rest.keep(clock, || self.sandboxed.freeze(true)).await;
            tracing::warn!(%error, function = self.function.name, "an instance was not frozen");
        }
    }

    /// Most memory it has held.
    pub(crate) fn peak_memory_mib(&self) -> u32 {
        self.sandboxed.peak_memory_mib()
    }

    /// Takes into the log what it has printed so far. Does not wait. Reads past tokio's readiness:
    /// an answer may overtake the event that says that a pipe is readable, not the bytes in it.
    pub(crate) fn drain(&self) {
        let first = self.programs.first_output();
        self.log.drain(first, &self.sandboxed.stdout);
        self.log.drain(first + 1, &self.sandboxed.stderr);
        self.programs.drain(&self.log);
    }

    /// Serves its connections and its log until it ends, however that comes about.
    pub(crate) async fn keep(
        &self,
        surroundings: &Arc<dyn Surroundings>,
        served: &Network,
        clock: &Clock,
    ) {
        let Sandboxed { stdout, stderr, runtime_api, aws_endpoint, .. } = &self.sandboxed;
        let mut connections = JoinSet::new();
        let mut network = JoinSet::new();
        if let Some(ends) = self.sandboxed.take_network() {
            network.spawn(served.clone().serve(ends));
        }
        let places = Arc::new(Semaphore::new(MAX_AWS_CONNECTIONS));
        let room = Arc::new(Semaphore::new(MAX_AWS_BODY_BYTES));
        let mut flush_at = None;
        let mut open = [true; 2];
        let tended =
            async { tokio::join!(self.stand_still(clock), bound::keep_within(self, clock)) };
        let output = self.programs.first_output();
        let tracing = xray::serve(&self.sandboxed, &self.function, surroundings);
        let beside = self.keep_programs(clock);
        tokio::pin!(tended, tracing, beside);
        let mut tending = true;
        let exit = loop {
            tokio::select! {
                exit = self.sandboxed.wait(), if self.programs.end_with_first() => break exit,
                exit = &mut beside => break exit,
                stream = accept(runtime_api, clock) => {
                    while connections.try_join_next().is_some() {}
                    if connections.len() < MAX_CONNECTIONS && self.sandboxed.admits(&stream).await {
                        connections.spawn(api::serve(stream, self.desk.clone(), self.log.clone()));
                    }
                }
                (stream, connection) = admit(aws_endpoint, &places, clock) => {
                    surroundings.serve(stream, Place { connection, room: room.clone() });
                }
                _ = stdout.readable(), if open[0] => {
                    let read = |buffer: &mut [u8]| stdout.try_read(buffer);
                    open[0] = self.log.take(output, read) != Taken::End;
                }
                _ = stderr.readable(), if open[1] => {
                    let read = |buffer: &mut [u8]| stderr.try_read(buffer);
                    open[1] = self.log.take(output + 1, read) != Taken::End;
                }
                () = self.log.begun(), if flush_at.is_none() => {
                    flush_at = Some(clock.now().plus(log::DELAY.as_millis() as u64));
                }
                _ = &mut tended, if tending => tending = false,
                () = until(clock, flush_at) => {
                    flush_at = None;
                    self.log.flush();
                }
                () = &mut tracing => {}
            }
        };
        self.end(exit);
        connections.shutdown().await;
        network.shutdown().await;
    }

    fn end(&self, exit: io::Result<Exit>) {
        let exit = exit.unwrap_or_else(|error| {
            tracing::error!(%error, function = self.function.name, "lost an instance");
            self.kill();
            Exit { code: None, signal: None, oom_killed: false }
        });
        // Its last words come before the report of its end.
        self.drain();
        self.desk.exited(exit);
        self.log.flush();
        tracing::debug!(function = self.function.name, pid = self.sandboxed.pid, ?exit, "ended");
    }
}

/// The next connection. Errors are the server's own, such as too many open files: they pass.
async fn accept(listener: &TcpListener, clock: &Clock) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "an instance's connection was lost");
                clock.sleep(AFTER_ERROR).await;
            }
        }
    }
}

/// The next connection for which there is a place.
async fn admit(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    clock: &Clock,
) -> (TcpStream, OwnedSemaphorePermit) {
    let place = places.clone().acquire_owned().await.expect("nobody closes the semaphore");
    (accept(listener, clock).await, place)
}

/// Waits until a moment, or for ever.
pub(crate) async fn until(clock: &Clock, moment: Option<Millis>) {
    match moment {
        Some(moment) => clock.sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
