//! The way to a snapshot: one instance's init, then a look at whether it can be forked.

use std::{sync::Arc, time::Instant};

use network::Mode;
use tokio::task::spawn_blocking;

use super::{Pool, tell_init_start};
use crate::{
    desk::{Init, Reported},
    extensions::{launch, shutdown::Reason},
    faults::Fault,
    function::{Function, Restored, RuntimeError},
    instance::{Instance, Slot, Unready},
    languages::Language,
    log::Log,
    platform::{Event, Phase},
    sandbox::{Channel, Zygote},
    snapshots::{INIT_LIMIT, RESTORE_LIMIT, Snapshot, Taken},
    start::{NotStarted, Origin, Preparation, StartKind, start_error},
    timeline::Opening,
};

/// What publishing a version with SnapStart came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Snapshotted {
    /// Its instances are forked from the snapshot.
    On,
    /// They are started anew: the function's log or the manual says why.
    Off,
}

/// Why there is no snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotFailure {
    /// The function's init failed.
    Init,
    /// The pool stops.
    Stopping,
    /// The machine or the server could not start it: in words.
    Machine(String),
}

impl Pool {
    /// Runs a version's init and keeps the process for its instances to be forked from.
    pub async fn snapshot(
        self: &Arc<Self>,
        function: &Arc<Function>,
    ) -> Result<Snapshotted, SnapshotFailure> {
        match self.origin(function).await {
            Ok(Origin::Snapshot(_)) => Ok(Snapshotted::On),
            Ok(Origin::Exec(_)) => Ok(Snapshotted::Off),
            Err(NotStarted::Machine(RuntimeError::Stopping)) => Err(SnapshotFailure::Stopping),
            Err(NotStarted::Machine(error)) => Err(SnapshotFailure::Machine(error.to_string())),
            Err(NotStarted::Function(..)) => Err(SnapshotFailure::Init),
        }
    }

    /// What the next instance of a function comes from. Makes the snapshot if there is none.
    pub(super) async fn origin(
        self: &Arc<Self>,
        function: &Arc<Function>,
    ) -> Result<Origin, NotStarted> {
        if !function.snap_start || !self.starter.sandboxer.forks() {
            return Ok(Origin::Exec(None));
        }
        let provider = self.starter.provider(function).await.map_err(NotStarted::Machine)?;
        if provider.language != Language::Python {
            return Ok(Origin::Exec(None));
        }
        let place = self.snapshots.place(&function.key, self.clock.now());
        let taken = place.get_or_try_init(|| self.take_snapshot(function)).await;
        if taken.is_err() {
            self.snapshots.remove(&function.key);
        }
        let taken = taken?.clone();
        self.snapshots.shrink();
        Ok(match taken {
            Taken::Snapshot(snapshot) => Origin::Snapshot(snapshot),
            Taken::Refused(reason) => Origin::Exec(Some(reason)),
        })
    }

    async fn take_snapshot(
        self: &Arc<Self>,
        function: &Arc<Function>,
    ) -> Result<Taken, NotStarted> {
        let turn = self.starting.acquire().await;
        let _turn = turn.map_err(|_| NotStarted::Machine(RuntimeError::Stopping))?;
        let log = Arc::new(Log::new(function, self.logs.clone(), self.clock.clone()));
        if let Some(reason) = self.hindrance(function).map_err(NotStarted::Machine)? {
            log.write(refusal(reason));
            log.flush();
            return Ok(Taken::Refused(reason.into()));
        }
        let began = Instant::now();
        let taken = self.initialise(function, &log, began).await;
        let init_ms = began.elapsed().as_secs_f64() * 1000.0;
        let phase = Phase::SNAP_START;
        match &taken {
            Ok(taken) => {
                log.tell(&Event::InitReport { phase, millis: init_ms, fault: None });
                if let Taken::Refused(reason) = taken {
                    log.write(refusal(reason));
                }
                log.flush();
            }
            Err(NotStarted::Function(fault, init_ms)) => {
                self.tell_init_failure(&log, phase, fault, *init_ms);
            }
            Err(NotStarted::Machine(_)) => {}
        }
        taken
    }

    /// Why there is no use in trying.
    fn hindrance(&self, function: &Function) -> Result<Option<&'static str>, RuntimeError> {
        if !launch::found(function).is_empty() {
            return Ok(Some("extensions run beside the function"));
        }
        let wrapper = function.environment.get("AWS_LAMBDA_EXEC_WRAPPER");
        if wrapper.is_some_and(|wrapper| !wrapper.is_empty()) {
            return Ok(Some("AWS_LAMBDA_EXEC_WRAPPER starts the runtime"));
        }
        let shares_network = self.starter.networks.of(function)? == Mode::Host;
        Ok(shares_network.then_some("it has the host's network"))
    }

    async fn initialise(
        self: &Arc<Self>,
        function: &Arc<Function>,
        log: &Arc<Log>,
        began: Instant,
    ) -> Result<Taken, NotStarted> {
        let failed = |error| NotStarted::Machine(start_error("look at a snapshot", error));
        let slot = self.slot_when_weighed(function).await.map_err(NotStarted::Machine)?;
        let provider = self.starter.provider(function).await.map_err(NotStarted::Machine)?;
        tell_init_start(function, &provider, log, Phase::SNAP_START);
        let preparation =
            Preparation { initialization: Phase::SNAP_START.initialization, zygote: true };
        let launched =
            self.starter.launch(function, (&provider, Vec::new()), log, slot, preparation);
        let (instance, _) = launched.await?;
        self.spawn(self.clone().keep(instance.clone()));
        let unready = Unready(&instance);
        let limit = INIT_LIMIT.max(function.timeout);
        let ended = self.clock.within(limit, end_of_init(&instance)).await;
        let (channel, ready) = match ended.unwrap_or(Err(Fault::Timeout(limit.as_millis() as u64)))
        {
            Ok(ready) => ready,
            Err(fault) => {
                instance.drain();
                log.finish_lines();
                return Err(NotStarted::Function(fault, began.elapsed().as_secs_f64() * 1000.0));
            }
        };
        instance.drain();
        instance.begin_throttle();
        let pid = instance.pid();
        let inspected = match ready {
            Err(reason) => Err(reason),
            Ok(()) if instance.desk.has_extensions() => Err("it has extensions".into()),
            Ok(()) => {
                let looked = spawn_blocking(move || Zygote::inspect(pid, channel)).await;
                looked.map_err(|error| failed(error.into()))?.map_err(failed)?
            }
        };
        let zygote = match inspected {
            Ok(zygote) => Arc::new(zygote),
            Err(reason) => return Ok(Taken::Refused(reason.into())),
        };
        unready.ready();
        instance.weigh();
        Ok(Taken::Snapshot(Arc::new(Snapshot { zygote, instance })))
    }
}

impl Pool {
    /// Forks an instance for a request and waits for its hooks; or says why it has to be started
    /// anew.
    pub(super) async fn restore(
        self: &Arc<Self>,
        function: &Arc<Function>,
        snapshot: &Arc<Snapshot>,
        log: &Arc<Log>,
        slot: Slot,
        opening: Opening,
    ) -> Result<Result<(Arc<Instance>, Restored), Arc<str>>, NotStarted> {
        let provider = self.starter.provider(function).await.map_err(NotStarted::Machine)?;
        let (opening, began) = (opening.turn(), Instant::now());
        let forked = self.starter.restore(function, &provider, snapshot, log, slot).await;
        let instance = match forked {
            Ok(instance) => instance,
            Err(_) if self.groups.is_stopping() => {
                return Err(NotStarted::Machine(RuntimeError::Stopping));
            }
            Err(NotStarted::Machine(error)) => {
                tracing::warn!(%error, function = function.name, "a snapshot was lost");
                self.snapshots.remove(&function.key);
                return Ok(Err(error.to_string().into()));
            }
            Err(failed) => return Err(failed),
        };
        let (label, arn) = (provider.label(), provider.arn(&function.region));
        log.tell(&Event::RestoreStart { runtime: (&label, &arn) });
        let forked = Instant::now();
        self.spawn(self.clone().keep(instance.clone()));
        let unready = Unready(&instance);
        let ended = self.starter.await_restore(&instance, (forked, RESTORE_LIMIT)).await;
        let duration_ms = began.elapsed().as_secs_f64() * 1000.0;
        let (kind, noted) = (StartKind::SnapStart, (self.clock.now(), ended.as_ref().err()));
        let how = (kind, Phase::SNAP_START.initialization);
        let record = self.timelines.note(function, how, opening, instance.marks(), noted);
        let fault = match &ended {
            Err(NotStarted::Function(fault, _)) => Some(fault),
            _ => None,
        };
        log.tell(&Event::RestoreReport { millis: duration_ms, fault });
        if let Some(fault) = fault {
            log.flush();
            return Err(NotStarted::Machine(match fault {
                Fault::Timeout(_) => RuntimeError::RestoreTimedOut,
                fault => RuntimeError::RestoreFailed(fault.error_type()),
            }));
        }
        ended?;
        unready.ready();
        // An instance starts once.
        let _ = instance.record.set(record);
        let billed_ms = (forked.elapsed().as_secs_f64() * 1000.0).ceil() as u64;
        tracing::debug!(function = function.name, ?kind, duration_ms, "instance started");
        Ok(Ok((instance, Restored { duration_ms, billed_ms })))
    }
}

/// Waits until the process can be forked, says why it cannot, or has failed.
async fn end_of_init(instance: &Instance) -> Result<(Channel, Result<(), String>), Fault> {
    let offered = match instance.desk.init().await {
        Init::Offered(offered) => offered,
        Init::Failed(reported) | Init::RestoreFailed(reported) => {
            return Err(Fault::Init(reported));
        }
        Init::Exited(exit) => return Err(Fault::Exit(exit)),
        Init::Crashed(crash) => return Err(Fault::Extension(crash)),
        // Only our bootstrap can be forked, and it offers to be.
        Init::Ready => return Err(Fault::Init(Reported { error_type: None, body: "{}".into() })),
    };
    let ready = async {
        let channel = Channel::take(instance.pid(), offered)?;
        let ready = channel.ready().await?;
        Ok((channel, ready))
    };
    match ready.await {
        Ok(ready) => Ok(ready),
        // It ends meanwhile, or talks nonsense, and is ended.
        Err(error) => {
            let error: std::io::Error = error;
            tracing::warn!(%error, function = instance.function.name, "no channel");
            instance.stop(Reason::Failure);
            Err(Fault::Exit(instance.desk.exit().await))
        }
    }
}

/// What a function's log says when its instances are started anew.
pub(super) fn refusal(reason: &str) -> String {
    format!("[lampejo] SnapStart: no snapshot, instances run the init themselves: {reason}\n")
}
