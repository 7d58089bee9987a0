//! Where an instance's runtime and the pool meet: the runtime asks for the next event and hands in
//! answers, the pool hands out events and awaits answers. One invocation at a time. `extensions` is
//! the same for those beside the runtime.

mod extensions;

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, OnceLock},
};

use bytes::Bytes;
use tokio::{
    net::TcpStream,
    sync::{Notify, oneshot},
};

use crate::{
    faults::Crash,
    http::{self, Trailers},
    sandbox::Exit,
    stream::Stream,
    timeline::Loaded,
};
pub(crate) use extensions::Asked;
use extensions::Crew;

/// What became of an event.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The handler's response.
    Response(Bytes),
    /// The handler's response has begun.
    Streaming(Stream),
    /// The runtime reported an error.
    Error(Reported),
    /// The runtime names a mode of response that there is not.
    InvalidResponseMode,
    /// The response was longer than Lambda allows.
    TooLarge,
    /// The runtime ended instead.
    Exited(Exit),
    /// An extension did.
    Crashed(Crash),
}

/// An error that a runtime reported, of an invocation or of its init.
#[derive(Clone, Debug)]
pub(crate) struct Reported {
    /// `Lambda-Runtime-Function-Error-Type`.
    pub(crate) error_type: Option<String>,
    /// The error document.
    pub(crate) body: Bytes,
}

impl Reported {
    /// The error that a response which has begun ended with, if its trailers name one.
    pub(crate) fn in_trailers(trailers: Trailers) -> Option<Reported> {
        let error_type = Some(trailers.error_type?);
        Some(Reported { error_type, body: trailers.error_body.unwrap_or("{}".into()) })
    }
}

/// How an init ended.
#[derive(Debug)]
pub(crate) enum Init {
    /// The runtime asked for its first event.
    Ready,
    /// It reported an error.
    Failed(Reported),
    /// It offers to be forked: these are its two ends of a channel.
    Offered([i32; 2]),
    /// It reported that it could not be restored.
    RestoreFailed(Reported),
    /// It ended.
    Exited(Exit),
    /// An extension did.
    Crashed(Crash),
}

/// Why the desk turned the runtime away.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No invocation has that id.
    InvalidRequestId,
    /// Not now: answered already, or an answer is due first.
    InvalidState,
}

/// A runtime that waits for an event on its connection.
pub(crate) struct Parked {
    /// Its connection.
    pub(crate) stream: Arc<TcpStream>,
    /// Bytes owed to it before the event's: replies to requests that came in the same packet.
    pub(crate) owed: Vec<u8>,
}

/// The desk of one instance.
#[derive(Default)]
pub(crate) struct Desk {
    state: Mutex<State>,
    /// Rung when the runtime asks for an event, and when it ends.
    changed: Notify,
    /// What the runtime says of its init, if it does.
    pub(crate) loaded: OnceLock<Loaded>,
}

#[derive(Default)]
struct State {
    init: Option<Init>,
    asked_once: bool,
    parked: Option<Parked>,
    current: Option<Current>,
    answered: Option<String>,
    /// The answer is a stream that has not ended.
    streaming: bool,
    exit: Option<Exit>,
    crew: Crew,
}

/// How whoever invoked takes the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// When it is all there.
    Whole,
    /// As it comes.
    Stream,
}

struct Current {
    request_id: String,
    takes: Takes,
    answer: oneshot::Sender<Answer>,
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }

    /// The runtime asks for an event and will wait for it.
    pub(crate) fn park(&self, parked: Parked) -> Result<(), (Refusal, Parked)> {
        let mut state = self.state();
        if state.current.is_some() || state.streaming {
            return Err((Refusal::InvalidState, parked));
        }
        state.parked = Some(parked);
        if !state.asked_once {
            state.asked_once = true;
            state.crew.close();
            state.end_init();
        }
        drop(state);
        self.changed.notify_waiters();
        Ok(())
    }

    /// The runtime's connection is gone: it no longer waits there.
    pub(crate) fn unpark(&self, stream: &Arc<TcpStream>) {
        let mut state = self.state();
        if state.parked.as_ref().is_some_and(|parked| Arc::ptr_eq(&parked.stream, stream)) {
            state.parked = None;
        }
        state.crew.unpark(stream);
    }

    /// The runtime answers an invocation.
    pub(crate) fn answer(&self, request_id: &str, answer: Answer) -> Result<(), Refusal> {
        let mut state = self.state();
        if state.answered.as_deref() == Some(request_id) {
            return Err(Refusal::InvalidState);
        }
        let current = state.current.take_if(|current| current.request_id == request_id);
        let current = current.ok_or(Refusal::InvalidRequestId)?;
        state.answered = Some(current.request_id);
        state.streaming = matches!(answer, Answer::Streaming(_));
        // Nobody waits any more after a timeout.
        let _ = current.answer.send(answer);
        Ok(())
    }

    /// Whether the response of the invocation under way is taken as it comes.
    pub(crate) fn takes_stream(&self) -> bool {
        self.state().current.as_ref().is_some_and(|current| current.takes == Takes::Stream)
    }

    /// A stream has ended, one way or another: the runtime may ask for its next event.
    pub(crate) fn streamed(&self) {
        self.state().streaming = false;
    }

    /// The runtime reports that its init failed, or its restore, or that it can be forked.
    pub(crate) fn end_init(&self, ended: Init) -> Result<(), Refusal> {
        let mut state = self.state();
        if state.asked_once || state.init.is_some() {
            return Err(Refusal::InvalidState);
        }
        state.init = Some(ended);
        drop(state);
        self.changed.notify_waiters();
        Ok(())
    }

    /// The runtime has ended.
    pub(crate) fn exited(&self, exit: Exit) {
        let mut state = self.state();
        state.exit = Some(exit);
        state.parked = None;
        let crash = state.crew.crash_of_runtime(&exit);
        state.init.get_or_insert(match &crash {
            Some(crash) => Init::Crashed(crash.clone()),
            None => Init::Exited(exit),
        });
        if let Some(current) = state.current.take() {
            let _ = current.answer.send(crash.map_or(Answer::Exited(exit), Answer::Crashed));
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Waits for the end of init.
    pub(crate) async fn init(&self) -> Init {
        self.wait_for(|state| state.init.take()).await
    }

    /// Waits for the runtime's end.
    pub(crate) async fn exit(&self) -> Exit {
        self.wait_for(|state| state.exit).await
    }

    /// Waits until the runtime asks for an event: `true`, or has ended: `false`.
    pub(crate) async fn settled(&self) -> bool {
        self.wait_for(settled).await
    }

    /// Like [`Desk::settled`], if it is already known.
    pub(crate) fn settled_now(&self) -> Option<bool> {
        settled(&mut self.state())
    }

    async fn wait_for<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let found = look(&mut self.state());
            if let Some(found) = found {
                return found;
            }
            changed.await;
        }
    }

    /// Hands an event to the waiting runtime. The receiver gets its answer.
    pub(crate) async fn hand(
        &self,
        request_id: &str,
        takes: Takes,
        head: &[u8],
        payload: &[u8],
    ) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        let parked = {
            let mut state = self.state();
            if let Some(ended) = state.ended() {
                let _ = sender.send(ended);
                return receiver;
            }
            let request_id = request_id.to_owned();
            state.current = Some(Current { request_id, takes, answer: sender });
            // An asynchronous event that is tried again comes with the same id.
            state.answered = None;
            state.parked.take()
        };
        if let Some(parked) = parked {
            // A broken connection shows as the runtime's end, or as a timeout.
            let written = write(&parked, head, payload).await;
            if let Err(error) = written {
                tracing::debug!(%error, request_id, "the runtime hung up");
            }
        }
        receiver
    }
}

impl State {
    /// The init is over when the runtime and all extensions have asked for an event.
    fn end_init(&mut self) {
        if self.asked_once && self.crew.all_ready() {
            self.init.get_or_insert(Init::Ready);
        }
    }

    /// Why there will be no answer, if that is so.
    fn ended(&self) -> Option<Answer> {
        let crashed = self.crew.crash().map(Answer::Crashed);
        crashed.or(self.exit.map(Answer::Exited))
    }
}

fn settled(state: &mut State) -> Option<bool> {
    if state.exit.is_some() || state.crew.crash().is_some() {
        return Some(false);
    }
    (state.parked.is_some() && state.crew.all_ready()).then_some(true)
}

async fn write(parked: &Parked, head: &[u8], payload: &[u8]) -> io::Result<()> {
    http::write_all(&parked.stream, &[&parked.owed, head, payload]).await
}
