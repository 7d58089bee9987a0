//! Where an instance's extensions and the pool meet.

use std::sync::Arc;

use kit::ids;
use tokio::net::TcpStream;

use super::{Answer, Desk, Init, Parked, State, write};
use crate::{
    extensions::{
        refused::Refused,
        roster::{Event, Extension, Failing, Kind, Roster},
    },
    faults::Crash,
    sandbox::Exit,
};

/// The extensions of one instance.
#[derive(Default)]
pub(super) struct Crew {
    roster: Roster,
    /// Those that wait on their connections, by their place in the roster.
    waiting: Vec<(usize, Parked)>,
    crash: Option<Crash>,
    /// The instance ends: programs that do are no news.
    ending: bool,
    /// What whoever asks for an event from now on is told, if it wants to be.
    last: Option<Vec<u8>>,
}

/// What becomes of a request for an event.
pub(crate) enum Asked {
    /// It is answered when there is one.
    Waits,
    /// Here it is.
    Answered(Vec<u8>, Parked),
}

impl Crew {
    pub(super) fn close(&mut self) {
        self.roster.close();
    }

    pub(super) fn all_ready(&self) -> bool {
        self.roster.all_ready()
    }

    pub(super) fn crash(&self) -> Option<Crash> {
        self.crash.clone()
    }

    pub(super) fn unpark(&mut self, stream: &Arc<TcpStream>) {
        self.waiting.retain(|(_, parked)| !Arc::ptr_eq(&parked.stream, stream));
    }

    /// What the end of the runtime is called if an extension in it has said that it fails.
    pub(super) fn crash_of_runtime(&self, exit: &Exit) -> Option<Crash> {
        self.roster.fatal().map(|error_type| Crash::of_runtime(error_type, exit))
    }
}

impl State {
    /// An extension has come to an end, or not into being.
    fn crash(&mut self, crash: Crash) {
        if self.crew.ending {
            return;
        }
        self.init.get_or_insert(Init::Crashed(crash.clone()));
        if let Some(current) = self.current.take() {
            let _ = current.answer.send(Answer::Crashed(crash.clone()));
        }
        self.crew.crash.get_or_insert(crash);
    }
}

impl Desk {
    /// Whether there is any extension.
    pub(crate) fn has_extensions(&self) -> bool {
        !self.state().crew.roster.all().is_empty()
    }

    /// All extensions as they are now.
    pub(crate) fn extensions(&self) -> Vec<Extension> {
        self.state().crew.roster.all().to_vec()
    }

    /// An external extension is about to be started.
    pub(crate) fn start_extension(&self, name: &str) {
        self.state().crew.roster.start(name, ids::uuid());
    }

    /// It could not be.
    pub(crate) fn extension_not_started(&self, name: &str, error_type: &str, reason: String) {
        let mut state = self.state();
        state.crew.roster.not_started(name, error_type);
        state.crash(Crash { error_type: "Extension.LaunchError", reason });
        drop(state);
        self.changed.notify_waiters();
    }

    /// The runtime could not be started beside its extensions.
    pub(crate) fn runtime_not_started(&self, crash: Crash) {
        self.state().crash(crash);
        self.changed.notify_waiters();
    }

    /// Its process has ended.
    pub(crate) fn extension_ended(&self, exit: &Exit) {
        let mut state = self.state();
        let error_type = state.crew.roster.fatal_or("Extension.Crash");
        state.crash(Crash::of_extension(error_type, exit));
        drop(state);
        self.changed.notify_waiters();
    }

    /// An extension registers. Answers with its id, and whether nobody knew of it.
    pub(crate) fn register(
        &self,
        name: &str,
        events: &[String],
    ) -> Result<(String, Kind), Refused> {
        let mut state = self.state();
        let id = state.crew.roster.register(name, events, ids::uuid())?;
        let known = state.crew.roster.all().iter().find(|it| it.id == id);
        let kind = known.map_or(Kind::Internal, |it| it.kind);
        drop(state);
        self.changed.notify_waiters();
        Ok((id, kind))
    }

    /// The name of the extension that goes by this id.
    pub(crate) fn extension_name(&self, id: &str) -> Result<String, Refused> {
        let state = self.state();
        let name = state.crew.roster.name(id).map(str::to_owned);
        name.ok_or_else(|| Refused::Unknown(id.to_owned()))
    }

    /// An extension asks for an event and will wait for it, unless the answer is known.
    pub(crate) fn park_extension(
        &self,
        id: &str,
        parked: Parked,
    ) -> Result<Asked, (Refused, Parked)> {
        let mut state = self.state();
        let crew = &mut state.crew;
        let at = match crew.roster.ready(id) {
            Ok(at) => at,
            Err(refused) => return Err((refused, parked)),
        };
        if let Some(last) = crew.last.clone()
            && crew.roster.tell(Event::Shutdown).contains(&at)
        {
            return Ok(Asked::Answered(last, parked));
        }
        crew.waiting.push((at, parked));
        state.end_init();
        drop(state);
        self.changed.notify_waiters();
        Ok(Asked::Waits)
    }

    /// An extension says that it fails.
    pub(crate) fn fail_extension(
        &self,
        id: &str,
        failing: Failing,
        error_type: &str,
    ) -> Result<(), Refused> {
        self.state().crew.roster.fail(id, failing, error_type)
    }

    /// Waits until all that were started have registered, or the init has failed.
    pub(crate) async fn all_registered(&self) {
        let over = |state: &mut State| state.crew.roster.all_registered() || state.init.is_some();
        self.wait_for(|state| over(state).then_some(())).await;
    }

    /// Waits until the runtime has asked for an event, or the instance has come to an end.
    pub(crate) async fn runtime_done(&self) {
        let done = |state: &mut State| state.parked.is_some() || state.ended().is_some();
        self.wait_for(|state| done(state).then_some(())).await;
    }

    /// Waits until the runtime has asked for its first event, or the init has failed.
    pub(crate) async fn runtime_began(&self) {
        let began = |state: &mut State| state.asked_once || state.init.is_some();
        self.wait_for(|state| began(state).then_some(())).await;
    }

    /// Whether the runtime has asked for its first event.
    pub(crate) fn has_begun(&self) -> bool {
        self.state().asked_once
    }

    /// Why there will be no more answers, if that is so.
    pub(crate) fn ended(&self) -> Option<Answer> {
        self.state().ended()
    }

    /// From now on programs may end.
    pub(crate) fn begin_end(&self) {
        self.state().crew.ending = true;
    }

    /// Tells those who asked for it of an event.
    pub(crate) async fn tell(&self, event: Event, body: &str) {
        let reply = reply(body);
        let told: Vec<(usize, Parked)> = {
            let crew = &mut self.state().crew;
            if event == Event::Shutdown {
                crew.last = Some(reply.clone());
            }
            let told = crew.roster.tell(event);
            let waiting = std::mem::take(&mut crew.waiting);
            let (told, rest) = waiting.into_iter().partition(|(at, _)| told.contains(at));
            crew.waiting = rest;
            told
        };
        for (_, parked) in told {
            // One whose connection is broken will not ask for its next event, which shows.
            if let Err(error) = write(&parked, &reply, b"").await {
                tracing::debug!(%error, "an extension hung up");
            }
        }
    }
}

fn reply(body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
         Lambda-Extension-Event-Identifier: {}\r\nContent-Length: {}\r\n\r\n{body}",
        ids::uuid(),
        body.len()
    )
    .into_bytes()
}
