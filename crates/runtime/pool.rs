//! The instances of all functions: reused while they idle, started when all are busy, stopped
//! when they have idled for long or their function has changed.
//!
//! Always true: an instance serves one request at a time; a request that waits takes whichever
//! instance comes first, its own or one that another request has freed; every task that the pool
//! starts has ended when `shutdown` returns. Read next: `groups` (who waits and who idles),
//! `start` (an instance's way to ready), `invoke` (one invocation).

mod provision;
mod room;
mod snapshot;

pub use provision::{ProvisionFailure, Provisioned};
pub use snapshot::{SnapshotFailure, Snapshotted};

use std::{
    fs,
    sync::{Arc, Mutex, Weak, atomic::AtomicUsize},
    time::{Duration, Instant},
};

use kit::{AccountId, Clock, Region};
use network::Mode;
use tokio::{
    sync::{Semaphore, oneshot, watch},
    task::JoinSet,
};

use crate::{
    bootstrap::Bootstraps,
    config::{Config, Doctor},
    extensions::{launch, shutdown},
    faults::Fault,
    function::{Function, Invocation, LogSink, Outcome, RuntimeError, Surroundings},
    groups::{Busy, Circumstances, Given, Groups, PoolStatus},
    installed::Installations,
    instance::{Beginning, Instance, Seat, Slot, Unready},
    invoke::{self, Remainder, Then},
    languages::{Languages, Preference, Provider},
    log::Log,
    memory::Memory,
    networks::Networks,
    platform::{Event, Phase},
    pool::provision::Provisions,
    sandbox::{Isolation, Sandboxer},
    snapshots::Snapshots,
    start::{HostIds, NotStarted, Origin, Preparation, StartKind, Starter},
    stream::{Destination, Outlet, Streamed},
    timeline::{Marks, Opening, Reason, Start, Timelines},
};

/// Lambda's limit of an init before the first invocation.
const INIT_LIMIT: Duration = Duration::from_secs(10);
/// Within this time the end of a failed instance is seen: its extensions have two seconds of it.
const SEEN_TO_END: Duration = Duration::from_secs(3);
/// How often idle instances are looked at.
const REAP_EVERY: Duration = Duration::from_secs(1);
/// An instance that has answered asks for its next event within this time, as a rule.
const SETTLES_WITHIN: Duration = Duration::from_millis(5);
/// Interpreters that boot at once, a processor: more only get in each other's way.
const STARTS_PER_CPU: usize = 4;

/// What a request finds.
enum Found {
    /// An instance, and what is left of the function's timeout.
    Ready(Busy, Duration),
    /// The function's init failed twice: that is the invocation's outcome.
    NotReady(Outcome),
}

/// Runs functions. Cheap to share.
pub struct Pool {
    config: Config,
    clock: Clock,
    logs: Arc<dyn LogSink>,
    starter: Starter,
    groups: Arc<Groups>,
    /// Places taken among `max_instances`.
    taken: Arc<AtomicUsize>,
    starting: Semaphore,
    provisions: Provisions,
    snapshots: Snapshots,
    timelines: Timelines,
    memory: Arc<Memory>,
    /// Those that have not ended, and some that have.
    instances: Mutex<Vec<Weak<Instance>>>,
    /// True when the pool stops.
    stop: watch::Sender<bool>,
    tasks: Mutex<JoinSet<()>>,
}

impl Pool {
    /// Prepares the data folder and the sandbox. Inside a tokio runtime.
    pub fn open(
        config: Config,
        clock: Clock,
        logs: Arc<dyn LogSink>,
        surroundings: Arc<dyn Surroundings>,
    ) -> Result<Arc<Pool>, RuntimeError> {
        let at = |step| move |source| RuntimeError::Start { step, source };
        fs::create_dir_all(&config.data).map_err(at("data folder"))?;
        let bootstraps = Bootstraps::write(&config.data).map_err(at("write the bootstraps"))?;
        let sandboxer = Sandboxer::new(config.isolation)
            .map_err(|error| RuntimeError::Start { step: error.step, source: error.source })?;
        let starter = Starter {
            data: config.data.clone(),
            sandboxer,
            languages: Arc::new(languages(&config, &bootstraps)),
            bootstraps,
            surroundings,
            networks: Networks::new(config.network.clone(), config.isolation, clock.clone())?,
            host_ids: HostIds::new(config.host_ids.clone()),
            clock: clock.clone(),
        };
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let pool = Arc::new(Pool {
            groups: Groups::new(clock.clone()),
            taken: Arc::default(),
            starting: Semaphore::new(cpus * STARTS_PER_CPU),
            provisions: Provisions::new(cpus),
            snapshots: Snapshots::default(),
            timelines: Timelines::default(),
            memory: Memory::new(config.memory_budget_mib),
            instances: Mutex::default(),
            stop: watch::Sender::new(false),
            tasks: Mutex::default(),
            config,
            clock,
            logs,
            starter,
        });
        pool.spawn(pool.clone().reap());
        Ok(pool)
    }

    /// Whether this machine can run functions of this runtime. May start an interpreter and wait
    /// for its answer, the first time that a runtime is asked for.
    pub fn check(&self, runtime: &str) -> Result<(), RuntimeError> {
        self.starter.languages.provider(runtime).map(drop)
    }

    /// Names the version of a runtime that this machine has, as functions' logs do. May wait as `check`
    /// does.
    pub fn runtime_version(&self, region: &Region, runtime: &str) -> Result<String, RuntimeError> {
        let provider = self.starter.languages.provider(runtime)?;
        Ok(provider.arn(region))
    }

    /// Whether this pool can run container images: only a sandbox has a root of its own.
    pub fn check_images(&self) -> Result<(), RuntimeError> {
        self.starter.check_images()
    }

    /// Whether a function may have this network on this server.
    pub fn check_network(&self, mode: Mode) -> Result<(), RuntimeError> {
        self.starter.networks.check(mode)
    }

    /// The network of functions that do not ask for any.
    pub fn network(&self) -> Mode {
        self.starter.networks.default()
    }

    /// Runs one invocation. A caller that drops the future stops the instance.
    pub async fn invoke(
        self: &Arc<Self>,
        function: &Arc<Function>,
        invocation: Invocation,
    ) -> Result<Outcome, RuntimeError> {
        match self.instance(function, &invocation).await? {
            Found::Ready(busy, left) => {
                Ok(self.run(busy, &invocation, left, Destination::whole()).await)
            }
            Found::NotReady(outcome) => Ok(outcome),
        }
    }

    /// Runs one invocation and hands its response on as it comes. Resolves when the first of it is
    /// there, or when the invocation is over without one. A caller that drops the future or what it
    /// resolves to leaves the function running to its end, once that has its event.
    pub async fn invoke_streaming(
        self: &Arc<Self>,
        function: &Arc<Function>,
        invocation: Invocation,
    ) -> Result<Streamed, RuntimeError> {
        match self.instance(function, &invocation).await? {
            Found::Ready(busy, left) => {
                let (outlet, opening) = Outlet::new(&self.clock);
                let (ended, outcome) = oneshot::channel();
                let (pool, reader) = (self.clone(), Destination::Reader(outlet));
                self.spawn(async move {
                    let outcome = pool.run(busy, &invocation, left, reader).await;
                    // Nobody may wait for it any more.
                    let _ = ended.send(outcome);
                });
                Ok(opening.begun(outcome).await)
            }
            Found::NotReady(outcome) => Ok(Streamed::over(outcome)),
        }
    }

    /// The function's code or configuration was changed: instances of this key stop, those that
    /// are busy after their request.
    pub fn retire(&self, key: &str) {
        self.groups
            .retire(key)
            .iter()
            .for_each(|instance| instance.stop(shutdown::Reason::Spindown));
        self.snapshots.remove(key);
    }

    /// Stops all instances, and waits until nothing of them is left.
    pub async fn shutdown(&self) {
        self.starting.close();
        self.provisions.close();
        self.snapshots.clear();
        self.groups.stop().iter().for_each(|instance| instance.stop(shutdown::Reason::Spindown));
        self.stop.send_replace(true);
        loop {
            let tasks = std::mem::take(&mut *self.tasks());
            if tasks.is_empty() {
                return;
            }
            tasks.join_all().await;
        }
    }

    /// What the pool holds now.
    pub fn status(&self) -> PoolStatus {
        PoolStatus { memory: self.memory.status(), ..self.groups.status() }
    }

    /// The last starts of a function, the newest first.
    pub fn starts(
        &self,
        account: AccountId,
        region: &Region,
        function: &str,
        limit: usize,
    ) -> Vec<Start> {
        self.timelines.of(account, region, function, limit)
    }

    /// What the machine offers and lacks. Starts a sandbox and interpreters.
    pub async fn doctor(&self) -> Doctor {
        let sandbox = self.starter.sandboxer.doctor().await;
        let languages = self.starter.languages.clone();
        let runtimes = tokio::task::spawn_blocking(move || languages.all()).await;
        Doctor { sandbox, runtimes: runtimes.unwrap_or_default() }
    }

    /// An instance for a request; if its init has failed, one whose init is tried again.
    async fn instance(
        self: &Arc<Self>,
        function: &Arc<Function>,
        invocation: &Invocation,
    ) -> Result<Found, RuntimeError> {
        match self.take(function).await? {
            Given::Instance(busy) => Ok(Found::Ready(busy, function.timeout)),
            Given::Failed(log) => self.init_again(function, &log, invocation).await,
            Given::Refused(error) => Err(error),
        }
    }

    /// An idle instance, or whichever comes free or ready first.
    async fn take(self: &Arc<Self>, function: &Arc<Function>) -> Result<Given, RuntimeError> {
        if let Some(busy) = self.groups.idle(&function.key)? {
            return Ok(Given::Instance(busy));
        }
        let (given, needed) = self.groups.wait(&function.key)?;
        if let Some(circumstances) = needed {
            self.spawn(self.clone().bring_up(function.clone(), circumstances));
        }
        given.await.map_err(|_| RuntimeError::Stopping)
    }

    /// A place for one more instance, and memory, at the cost of others' idle ones if need be.
    fn slot(&self, function: &Function) -> Result<Slot, RuntimeError> {
        let limit = self.config.max_instances;
        let seat = Seat::take(&self.taken, limit).or_else(|| {
            self.groups.evict()?.make_room();
            Some(Seat::take_over(&self.taken))
        });
        let seat = seat.ok_or(RuntimeError::Saturated { limit })?;
        self.room(function).map(|memory| Slot::new(seat, memory))
    }

    /// A place for an instance that follows one whose init failed: that one's place is free when its
    /// end is seen, a moment later.
    async fn slot_soon(&self, function: &Function) -> Result<Slot, RuntimeError> {
        let deadline = self.clock.now().plus(SEEN_TO_END.as_millis() as u64);
        loop {
            match self.slot(function) {
                Err(RuntimeError::Saturated { .. } | RuntimeError::NoMemory { .. })
                    if self.clock.now() < deadline =>
                {
                    self.clock.sleep(Duration::from_millis(5)).await;
                }
                slot => return slot,
            }
        }
    }

    /// Starts an instance for the requests that wait, if any still do when it is its turn.
    async fn bring_up(self: Arc<Self>, function: Arc<Function>, circumstances: Circumstances) {
        let opening = Opening::new(circumstances.reason);
        if circumstances.soon_free {
            self.clock.sleep(SETTLES_WITHIN).await;
        }
        // Before its turn: the init of a snapshot, which may take long, has one of its own.
        let origin = self.origin(&function).await;
        let Ok(_turn) = self.starting.acquire().await else {
            let stopping = Given::Refused(RuntimeError::Stopping);
            return self.groups.not_started(&function.key, stopping);
        };
        let foreseen = circumstances.reason == Reason::Prediction;
        if !foreseen && !self.groups.still_wanted(&function.key) {
            return;
        }
        let slot = match self.slot_when_weighed(&function).await {
            Ok(slot) => slot,
            Err(error) => return self.groups.not_started(&function.key, Given::Refused(error)),
        };
        let log = Arc::new(Log::new(&function, self.logs.clone(), self.clock.clone()));
        let started = match origin {
            Ok(origin) => self.start_from(origin, &function, &log, slot, opening).await,
            Err(not_started) => Err(not_started),
        };
        match started {
            Ok((instance, beginning)) => {
                *instance.beginning.lock().expect("nothing panics while it holds this lock") =
                    Some(beginning);
                self.groups.started(instance.clone(), circumstances.generation);
                self.weigh(&instance);
            }
            Err(NotStarted::Machine(error)) => {
                self.groups.not_started(&function.key, Given::Refused(error));
            }
            Err(NotStarted::Function(..)) => {
                self.groups.not_started(&function.key, Given::Failed(log));
            }
        }
    }

    /// Starts an instance for a request, one way or the other.
    async fn start_from(
        self: &Arc<Self>,
        origin: Origin,
        function: &Arc<Function>,
        log: &Arc<Log>,
        slot: Slot,
        opening: Opening,
    ) -> Result<(Arc<Instance>, Beginning), NotStarted> {
        let (reason, slot) = match origin {
            Origin::Exec(reason) => (reason, slot),
            Origin::Snapshot(snapshot) => {
                match self.restore(function, &snapshot, log, slot, opening).await? {
                    Ok((instance, restored)) => {
                        return Ok((instance, Beginning::Restore(restored)));
                    }
                    Err(reason) => {
                        (Some(reason), self.slot(function).map_err(NotStarted::Machine)?)
                    }
                }
            }
        };
        if let Some(reason) = reason {
            log.write(snapshot::refusal(&reason));
        }
        let (instance, init_ms) =
            self.start(function, log, slot, (INIT_LIMIT, Phase::init(function)), opening).await?;
        Ok((instance, Beginning::Init(init_ms)))
    }

    /// Starts an instance and waits for its init.
    async fn start(
        self: &Arc<Self>,
        function: &Arc<Function>,
        log: &Arc<Log>,
        slot: Slot,
        (limit, phase): (Duration, Phase),
        opening: Opening,
    ) -> Result<(Arc<Instance>, f64), NotStarted> {
        let (opening, kind) = (opening.turn(), StartKind::Exec);
        let mut marks = Marks::default();
        let ready = self.make_ready(function, log, slot, (limit, phase), &mut marks).await;
        let ended = (self.clock.now(), ready.as_ref().err());
        let how = (kind, phase.initialization);
        let record = self.timelines.note(function, how, opening, marks, ended);
        match &ready {
            Ok((instance, init_ms)) => {
                // An instance starts once.
                let _ = instance.record.set(record);
                if log.wants_details() {
                    log.tell(&Event::InitReport { phase, millis: *init_ms, fault: None });
                }
                tracing::debug!(function = function.name, ?kind, init_ms, "instance started");
            }
            Err(NotStarted::Function(fault, init_ms)) => {
                self.tell_init_failure(log, phase, fault, *init_ms);
            }
            Err(NotStarted::Machine(_)) => {}
        }
        ready
    }

    /// The start itself; `marks` tells afterwards how far it came.
    async fn make_ready(
        self: &Arc<Self>,
        function: &Arc<Function>,
        log: &Arc<Log>,
        slot: Slot,
        (limit, phase): (Duration, Phase),
        marks: &mut Marks,
    ) -> Result<(Arc<Instance>, f64), NotStarted> {
        let provider = self.starter.provider(function).await;
        let provider = provider.map_err(NotStarted::Machine)?;
        let extensions = launch::found(function);
        log.telemetry.begin(!extensions.is_empty());
        if phase.name == "init" {
            tell_init_start(function, &provider, log, phase);
        }
        let began = Instant::now();
        let preparation = Preparation { initialization: phase.initialization, zygote: false };
        let of = (&*provider, extensions);
        let (instance, after) = self.starter.launch(function, of, log, slot, preparation).await?;
        self.spawn(self.clone().keep(instance.clone()));
        let unready = Unready(&instance);
        let init = self.starter.await_init(&instance, after, (began, limit), phase).await;
        *marks = instance.marks();
        init?;
        unready.ready();
        Ok((instance, began.elapsed().as_secs_f64() * 1000.0))
    }

    fn tell_init_failure(&self, log: &Log, phase: Phase, fault: &Fault, millis: f64) {
        if phase.name == "init" && !matches!(fault, Fault::Timeout(_)) {
            let text = fault.log_text("", &self.clock.now().iso8601());
            text.into_iter().for_each(|text| log.tell(&Event::Fault(text)));
        }
        log.tell(&Event::InitReport { phase, millis, fault: Some(fault) });
        log.flush();
    }

    /// Lambda's answer to a failed init: once more, within the invocation and its timeout.
    async fn init_again(
        self: &Arc<Self>,
        function: &Arc<Function>,
        log: &Arc<Log>,
        invocation: &Invocation,
    ) -> Result<Found, RuntimeError> {
        let (began, limit) = (self.clock.now(), function.timeout);
        let slot = self.slot_soon(function).await?;
        let (phase, opening) = (Phase::invoke(function), Opening::new(Reason::Retry));
        match self.start(function, log, slot, (limit, phase), opening).await {
            Ok((instance, _)) => {
                let spent = Duration::from_millis(self.clock.now().since(began));
                Ok(Found::Ready(self.groups.adopt(instance), limit.saturating_sub(spent)))
            }
            Err(NotStarted::Machine(error)) => Err(error),
            Err(NotStarted::Function(fault, millis)) => {
                let outcome =
                    invoke::not_run(function, log, &self.clock, invocation, &fault, millis);
                Ok(Found::NotReady(outcome))
            }
        }
    }

    async fn run(
        self: &Arc<Self>,
        busy: Busy,
        invocation: &Invocation,
        left: Duration,
        destination: Destination,
    ) -> Outcome {
        let ran = invoke::run(&busy, &self.clock, invocation, left, destination).await;
        let (outcome, then) = ran;
        busy.ran(&outcome.report);
        match then {
            Then::Reuse => {}
            Then::Await(remainder) => {
                self.groups.settling(&busy);
                self.spawn(self.clone().finish(busy, remainder));
                return outcome;
            }
            Then::End => return outcome,
        }
        match busy.desk.settled_now() {
            Some(true) => self.groups.release(busy),
            Some(false) => {}
            // It has answered but not asked for the next event yet.
            None => {
                self.groups.settling(&busy);
                self.spawn(self.clone().settle(busy));
            }
        }
        outcome
    }

    /// Releases an instance when it asks for its next event, or stops it if it never does.
    async fn settle(self: Arc<Self>, busy: Busy) {
        let settled = self.clock.within(busy.function.timeout, busy.desk.settled()).await;
        self.groups.settled(&busy);
        if settled == Some(true) {
            self.groups.release(busy);
        }
    }

    /// Releases an instance when its extensions are done with an invocation, unless they never are.
    async fn finish(self: Arc<Self>, busy: Busy, remainder: Box<Remainder>) {
        let reusable = invoke::finish(&busy, &self.clock, remainder).await;
        self.groups.settled(&busy);
        if reusable {
            self.groups.release(busy);
        }
    }

    async fn keep(self: Arc<Self>, instance: Arc<Instance>) {
        self.instances().push(Arc::downgrade(&instance));
        let starter = &self.starter;
        let network = &starter.networks.network;
        let keeping = instance.keep(&starter.surroundings, network, &self.clock);
        tokio::pin!(keeping);
        tokio::select! {
            () = &mut keeping => {}
            () = self.stopping() => {
                instance.stop(shutdown::Reason::Spindown);
                keeping.await;
            }
        }
        if self.groups.forget(&instance) {
            self.provisions.lost(&instance.function.key, self.clock.now());
        }
    }

    /// Stops what is not needed any more, and starts what will be, until the pool stops.
    async fn reap(self: Arc<Self>) {
        while self.clock.within(REAP_EVERY, self.stopping()).await.is_none() {
            self.weigh_those_that_ran();
            let expired = self.groups.expired(self.config.idle);
            expired.iter().for_each(|instance| instance.stop(shutdown::Reason::Spindown));
            self.make_room(0);
            self.start_what_is_due();
            while self.tasks().try_join_next().is_some() {}
        }
    }

    async fn stopping(&self) {
        // An error would mean that the sender, which is ours, is gone.
        let _ = self.stop.subscribe().wait_for(|stopping| *stopping).await;
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks().spawn(task);
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().expect("nothing panics while it holds this lock")
    }
}

fn languages(config: &Config, bootstraps: &Bootstraps) -> Languages {
    let preference =
        Preference { nearest: config.nearest_runtime, installed_first: config.prefer_installed };
    // An image's tree is a root, which a plain process has not.
    let isolates = config.isolation == Isolation::Sandbox;
    let installations = isolates.then(|| Installations::new(&config.data));
    Languages::new(preference, bootstraps.clone(), installations)
}

fn tell_init_start(function: &Function, provider: &Provider, log: &Log, phase: Phase) {
    let (label, arn) = (provider.label(), provider.arn(&function.region));
    // Of an image there is no runtime version to tell.
    let runtime = function.image.is_none().then_some((&*label, &*arn));
    log.tell(&Event::InitStart { phase, runtime });
    provider.warning.iter().for_each(|warning| log.write(warning.clone()));
}
