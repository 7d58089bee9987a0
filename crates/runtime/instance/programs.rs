//! What an instance runs beside its first program. One with external extensions begins with one of
//! them, and its runtime is a further program; its end is Lambda's shutdown phase. Any other ends with
//! its first program.

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, OnceLock},
    time::Duration,
};

use kit::Clock;
use rustix::process::Signal;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};

use super::Instance;
use crate::{
    extensions::{
        launch::{self, After},
        roster,
        shutdown::{self, Reason, Times},
        telemetry::Subscriber,
    },
    log::{Log, Taken},
    rest::Rest,
    sandbox::{Dialer, Exit, Running, Status},
};

/// Where extensions start, as in Lambda.
const FOLDER: &str = "/";

/// What a program of an instance is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It speaks the Runtime API.
    Runtime,
    /// It is the external extension of this name.
    Extension(String),
}

/// The programs of an instance.
pub(super) struct Programs {
    /// What the first program is.
    first: Role,
    further: Mutex<Vec<Arc<Further>>>,
    /// Those that nobody attends to yet.
    fresh: Mutex<Vec<Arc<Further>>>,
    /// Rung when there is one.
    added: Notify,
    /// Those that have ended.
    ended: watch::Sender<Vec<Role>>,
    /// Why the instance is to end.
    reason: OnceLock<Reason>,
    end: Notify,
}

/// A program that is not the first.
struct Further {
    role: Role,
    /// Its standard output in the log; its standard error comes next.
    output: usize,
    running: Running,
}

impl Programs {
    pub(super) fn new(first: Role) -> Programs {
        Programs {
            first,
            further: Mutex::default(),
            fresh: Mutex::default(),
            added: Notify::new(),
            ended: watch::Sender::default(),
            reason: OnceLock::new(),
            end: Notify::new(),
        }
    }

    /// Whether the instance ends with its first program.
    pub(super) fn end_with_first(&self) -> bool {
        self.first == Role::Runtime
    }

    /// The first program's standard output in the log.
    pub(super) fn first_output(&self) -> usize {
        match self.first {
            Role::Runtime => 0,
            Role::Extension(_) => 2,
        }
    }

    pub(super) fn begin_end(&self, reason: Reason) {
        let _ = self.reason.set(reason);
        self.end.notify_one();
    }

    pub(super) fn drain(&self, log: &Log) {
        for further in &*self.further() {
            log.drain(further.output, &further.running.stdout);
            log.drain(further.output + 1, &further.running.stderr);
        }
    }

    fn add(&self, role: Role, output: usize, running: Running) {
        let further = Arc::new(Further { role, output, running });
        self.further().push(further.clone());
        lock(&self.fresh).push(further);
        self.added.notify_one();
    }

    fn further(&self) -> MutexGuard<'_, Vec<Arc<Further>>> {
        lock(&self.further)
    }

    async fn added(&self) -> Arc<Further> {
        loop {
            let added = self.added.notified();
            if let Some(further) = lock(&self.fresh).pop() {
                return further;
            }
            added.await;
        }
    }

    fn runtime(&self) -> Option<Arc<Further>> {
        self.further().iter().find(|it| it.role == Role::Runtime).cloned()
    }

    async fn until_ended(&self, roles: &[Role]) {
        let have = |ended: &Vec<Role>| roles.iter().all(|role| ended.contains(role));
        // An error would mean that the sender, which is ours, is gone.
        let _ = self.ended.subscribe().wait_for(have).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it holds this lock")
}

impl Further {
    /// Takes what it prints, until it ends.
    async fn attend(self: Arc<Self>, log: Arc<Log>) -> (Role, io::Result<Status>) {
        let Running { stdout, stderr, .. } = &self.running;
        let mut open = [true; 2];
        loop {
            tokio::select! {
                status = self.running.wait() => return (self.role.clone(), status),
                _ = stdout.readable(), if open[0] => {
                    let read = |buffer: &mut [u8]| stdout.try_read(buffer);
                    open[0] = log.take(self.output, read) != Taken::End;
                }
                _ = stderr.readable(), if open[1] => {
                    let read = |buffer: &mut [u8]| stderr.try_read(buffer);
                    open[1] = log.take(self.output + 1, read) != Taken::End;
                }
            }
        }
    }
}

impl Instance {
    /// Starts the extensions but for the first; and when all have registered the runtime. What fails
    /// shows at the desk.
    pub(crate) async fn start_rest(&self, after: After) {
        let After { extensions, runtime, folder } = after;
        for (at, (name, program)) in extensions.into_iter().enumerate() {
            match self.sandboxed.spawn(program, Path::new(FOLDER)).await {
                Ok(running) => {
                    self.programs.add(Role::Extension(name), 4 + 2 * at, running);
                }
                Err(error) => {
                    let (error_type, reason) = launch::why(&name, &error);
                    return self.desk.extension_not_started(&name, error_type, reason);
                }
            }
        }
        self.desk.all_registered().await;
        if self.desk.ended().is_some() {
            return;
        }
        let name = runtime.argv.first().map(|it| it.to_string_lossy().into_owned());
        match self.sandboxed.spawn(runtime, &folder).await {
            Ok(running) => self.programs.add(Role::Runtime, 0, running),
            Err(error) => {
                let crash = launch::runtime_not_started(&name.unwrap_or_default(), &error);
                self.desk.runtime_not_started(crash);
            }
        }
    }

    /// Attends to further programs and to subscribers, and ends the instance when it is time. Never
    /// comes back for an instance that ends with its first program, unless that was told to.
    pub(super) async fn keep_programs(&self, clock: &Clock) -> io::Result<Exit> {
        let (mut further, mut couriers) = (JoinSet::new(), JoinSet::new());
        let mut first_runs = !self.programs.end_with_first();
        let ending = self.end_in_time(clock);
        tokio::pin!(ending);
        loop {
            tokio::select! {
                ended = self.sandboxed.program_ended(), if first_runs => match ended? {
                    Some(status) => {
                        first_runs = false;
                        self.program_ended(self.programs.first.clone(), status);
                    }
                    // All of it has ended, for want of memory or by our will.
                    None => break,
                },
                added = self.programs.added() => {
                    further.spawn(added.attend(self.log.clone()));
                }
                Some(Ok((role, status))) = further.join_next(), if !further.is_empty() => {
                    match status {
                        Ok(status) => self.program_ended(role, status),
                        Err(_) => break,
                    }
                }
                subscriber = self.log.telemetry.subscriber() => {
                    match self.sandboxed.dialer() {
                        Ok(dialer) => {
                            let (rest, clock) = (self.rest.clone(), clock.clone());
                            couriers.spawn(carry(subscriber, dialer, rest, clock));
                        }
                        Err(error) => tracing::warn!(%error, "no way to a subscriber"),
                    }
                }
                () = &mut ending => break,
            }
        }
        self.kill();
        self.sandboxed.wait().await
    }

    fn program_ended(&self, role: Role, status: Status) {
        let Status { code, signal } = status;
        let exit = Exit { code, signal, oom_killed: self.sandboxed.oom_killed() };
        self.drain();
        match role {
            Role::Runtime => self.desk.exited(exit),
            Role::Extension(_) => self.desk.extension_ended(&exit),
        }
        self.programs.ended.send_modify(|ended| ended.push(role));
        // Does nothing to one that ends already.
        self.stop(Reason::Failure);
    }

    /// Waits until the instance is to end; then sees to it that all have their time, and no more.
    async fn end_in_time(&self, clock: &Clock) {
        let reason = loop {
            let end = self.programs.end.notified();
            if let Some(reason) = self.programs.reason.get() {
                break *reason;
            }
            end.await;
        };
        self.desk.begin_end();
        let extensions = self.desk.extensions();
        let times = Times::of(&extensions);
        let deadline = clock.now().plus(times.all.as_millis() as u64);
        self.end_runtime(clock, times.runtime).await;
        self.drain();
        self.log.finish_lines();
        self.log.telemetry.flush();
        let body = shutdown::event(reason, deadline.0);
        let wants = |it: &&roster::Extension| it.events.contains(&roster::Event::Shutdown);
        let told = extensions.iter().filter(wants).map(|it| Role::Extension(it.name.clone()));
        let told: Vec<Role> = told.collect();
        let ended = async {
            self.desk.tell(roster::Event::Shutdown, &body).await;
            self.programs.until_ended(&told).await;
        };
        let left = Duration::from_millis(deadline.since(clock.now()));
        clock.within(left, ended).await;
    }

    /// Asks the runtime to end, and waits for that as long as it may take.
    async fn end_runtime(&self, clock: &Clock, limit: Duration) {
        let runtime = self.programs.runtime();
        let signal = |signal| match &runtime {
            Some(runtime) => runtime.running.signal(signal),
            None if self.programs.end_with_first() => self.sandboxed.signal(signal),
            None => Ok(()),
        };
        // It may have ended already.
        let _ = signal(Signal::TERM);
        let ended = async {
            match &runtime {
                Some(_) => self.programs.until_ended(&[Role::Runtime]).await,
                None if self.programs.end_with_first() => {
                    let _ = self.sandboxed.program_ended().await;
                }
                None => {}
            }
        };
        if clock.within(limit, ended).await.is_none() {
            let _ = signal(Signal::KILL);
        }
    }
}

async fn carry(subscriber: Arc<Subscriber>, dialer: Dialer, rest: Arc<Rest>, clock: Clock) {
    let dial = async |port| {
        // Who stands still takes nothing.
        rest.awake().await;
        dialer.dial(port).await
    };
    subscriber.carry(&clock, dial).await;
}
