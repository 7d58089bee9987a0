//! The way of a subscriber's events into its instance: one task each, which sends a batch when it is
//! time and keeps it while the subscriber does not take it.
//!
//! What answers is hostile: its answers are bounded, and it has only so long for them.

use std::{
    io,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use kit::{Clock, Millis};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
};

use super::{Item, Source, Subscription, buffer::Buffer, subscription::Destination};

/// How long one attempt may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Attempts to send a batch before it counts as dropped.
const ATTEMPTS: u32 = 5;
/// Waits between attempts double from here.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// Longest head of an answer.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// An answer's body is read up to this length, so that the subscriber gets to write it.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// An extension that has subscribed, and what waits for it.
pub(crate) struct Subscriber {
    name: String,
    subscription: Subscription,
    state: Mutex<State>,
    /// Rung when there is something to do.
    changed: Notify,
}

struct State {
    buffer: Buffer,
    hurry: bool,
}

/// What a courier does next.
enum Next {
    Batch(Vec<Item>),
    /// Until something changes, or this moment.
    Wait(Option<Millis>),
}

impl State {
    fn next(&mut self, now: Millis) -> Next {
        let hurry = std::mem::take(&mut self.hurry);
        if self.buffer.is_empty() {
            return Next::Wait(None);
        }
        let due = self.buffer.due(now);
        if hurry || self.buffer.is_full() || now >= due {
            return Next::Batch(self.buffer.take(now));
        }
        Next::Wait(Some(due))
    }
}

impl Subscriber {
    pub(super) fn new(name: &str, subscription: Subscription) -> Subscriber {
        let buffer = Buffer::new(subscription.buffering);
        let state = Mutex::new(State { buffer, hurry: false });
        Subscriber { name: name.to_owned(), subscription, state, changed: Notify::new() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn source(&self) -> Source {
        self.subscription.source
    }

    /// Takes an event in, if it is for this subscriber.
    pub(super) fn take(&self, item: &Item) {
        if !self.subscription.wants(item) {
            return;
        }
        let mut state = self.state();
        let was_empty = state.buffer.is_empty();
        state.buffer.push(item);
        let ring = was_empty || state.buffer.is_full();
        drop(state);
        if ring {
            self.changed.notify_one();
        }
    }

    /// What waits need not wait any longer.
    pub(super) fn hurry(&self) {
        self.state().hurry = true;
        self.changed.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }

    /// Carries events until it is dropped. `dial` connects to a port inside the instance.
    pub(crate) async fn carry<Connecting>(&self, clock: &Clock, dial: impl Fn(u16) -> Connecting)
    where
        Connecting: Future<Output = io::Result<TcpStream>>,
    {
        let mut line = None;
        loop {
            let batch = self.batch(clock).await;
            let bytes = batch.iter().map(|item| item.text.len()).sum();
            if !self.send(&batch, clock, &dial, &mut line).await {
                self.state().buffer.drop_some(batch.len(), bytes);
            }
        }
    }

    /// The next batch, when it is time for it.
    async fn batch(&self, clock: &Clock) -> Vec<Item> {
        loop {
            let changed = self.changed.notified();
            let due = match self.state().next(clock.now()) {
                Next::Batch(batch) => return batch,
                Next::Wait(due) => due,
            };
            tokio::select! {
                () = changed => {}
                () = crate::instance::until(clock, due) => {}
            }
        }
    }

    /// Whether the subscriber took it in the end.
    async fn send<Connecting>(
        &self,
        batch: &[Item],
        clock: &Clock,
        dial: &impl Fn(u16) -> Connecting,
        line: &mut Option<TcpStream>,
    ) -> bool
    where
        Connecting: Future<Output = io::Result<TcpStream>>,
    {
        let mut wait = FIRST_WAIT;
        for attempt in 1..=ATTEMPTS {
            let sent = match &self.subscription.destination {
                Destination::Http { method, port, path } => {
                    clock.within(PATIENCE, post(batch, (method, *port, path), dial)).await
                }
                Destination::Tcp { port } => {
                    clock.within(PATIENCE, write_lines(batch, *port, dial, line)).await
                }
            };
            match sent {
                Some(Ok(())) => return true,
                Some(Err(error)) => {
                    tracing::debug!(%error, name = self.name, attempt, "telemetry was not taken");
                }
                None => {
                    tracing::debug!(name = self.name, attempt, "telemetry was not taken in time")
                }
            }
            *line = None;
            if attempt < ATTEMPTS {
                clock.sleep(wait).await;
                wait *= 2;
            }
        }
        false
    }
}

/// One request with all of a batch, on a connection of its own.
async fn post<Connecting>(
    batch: &[Item],
    (method, port, path): (&str, u16, &str),
    dial: &impl Fn(u16) -> Connecting,
) -> io::Result<()>
where
    Connecting: Future<Output = io::Result<TcpStream>>,
{
    let texts: Vec<&str> = batch.iter().map(|item| &*item.text).collect();
    let body = format!("[{}]", texts.join(","));
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: sandbox.localdomain:{port}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = dial(port).await?;
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    let answer = read_answer(&mut stream).await?;
    match status(&answer) {
        Some(200..=299) => Ok(()),
        status => Err(io::Error::other(format!("answered with {status:?}"))),
    }
}

/// Reads an answer to its end, or as far as anybody cares.
async fn read_answer(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut read = 0;
    let mut buffer = [0; 4096];
    loop {
        let some = match stream.read(&mut buffer).await {
            Ok(some) => some,
            // A subscriber that hangs up at once has said what it had to.
            Err(_) if !head.is_empty() => 0,
            Err(error) => return Err(error),
        };
        let room = MAX_HEAD_BYTES - head.len();
        head.extend_from_slice(&buffer[..some.min(room)]);
        read += some;
        if some == 0 || read > MAX_ANSWER_BYTES || is_whole(&head) {
            return Ok(head);
        }
    }
}

/// Whether an answer has come to its end, by what its head says: not all subscribers close.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    length.is_some_and(|length| answer.len() >= head.len() + 4 + length)
}

/// The status of an answer, such as `HTTP/1.1 200 OK`.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    std::str::from_utf8(line).ok()?.parse().ok()
}

/// The events of a batch on the subscriber's one connection.
async fn write_lines<Connecting>(
    batch: &[Item],
    port: u16,
    dial: &impl Fn(u16) -> Connecting,
    line: &mut Option<TcpStream>,
) -> io::Result<()>
where
    Connecting: Future<Output = io::Result<TcpStream>>,
{
    let stream = match line {
        Some(stream) => stream,
        None => line.insert(dial(port).await?),
    };
    let text: String = batch.iter().flat_map(|item| [&*item.text, "\n"]).collect();
    stream.write_all(text.as_bytes()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extensions::telemetry::{Printed, Telemetry};
    use std::sync::Arc;
    use tokio::net::TcpListener;

    /// Someone who subscribed to lines, and the task that carries to them.
    async fn subscribed(destination: &str, port: u16) -> (Arc<Telemetry>, Clock) {
        let (telemetry, clock) = (Arc::new(Telemetry::default()), Clock::default());
        telemetry.begin(true);
        telemetry.line(Printed::Function, true, Millis(0), "before\n");
        let body = format!(
            r#"{{"schemaVersion":"2022-12-13","types":["function","platform"],
                 "buffering":{{"timeoutMs":25}},"destination":{{{destination}}}}}"#
        );
        let subscription = Subscription::read(Source::Telemetry, body.as_bytes()).unwrap();
        assert!(telemetry.subscribe("tool", subscription).unwrap());
        let subscriber = telemetry.subscriber().await;
        let carrying = clock.clone();
        tokio::spawn(async move {
            let dial = async |_| TcpStream::connect(("127.0.0.1", port)).await;
            subscriber.carry(&carrying, dial).await;
        });
        (telemetry, clock)
    }

    async fn read_some(stream: &mut TcpStream) -> String {
        let mut buffer = vec![0; 1 << 16];
        let read = stream.read(&mut buffer).await.unwrap();
        String::from_utf8_lossy(&buffer[..read]).into_owned()
    }

    #[tokio::test]
    async fn lines_come_over_http_and_again_if_they_were_not_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let destination = format!(r#""protocol":"HTTP","URI":"http://sandbox:{port}/in""#);
        let (telemetry, _) = subscribed(&destination, port).await;
        telemetry.line(Printed::Extension, true, Millis(0), "not asked for\n");
        for answer in ["HTTP/1.1 500 No\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"]
        {
            let (mut stream, _) = listener.accept().await.unwrap();
            let request = read_some(&mut stream).await;
            assert!(request.starts_with("POST /in HTTP/1.1\r\n"), "{request}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        telemetry.line(Printed::Function, true, Millis(0), "{\"level\":\"INFO\"}");
        telemetry.flush();
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = String::new();
        while !request.ends_with(']') {
            request += &read_some(&mut stream).await;
        }
        assert!(request.contains(r#""record":{"level":"INFO"}"#), "{request}");
        assert!(!request.contains("before"), "that was taken");
    }

    #[tokio::test]
    async fn lines_come_over_tcp_one_after_the_other() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let destination = format!(r#""protocol":"TCP","port":{port}"#);
        let (telemetry, _) = subscribed(&destination, port).await;
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(read_some(&mut stream).await.contains("\"before\\n\""));
        telemetry.line(Printed::Function, true, Millis(0), "next");
        assert!(read_some(&mut stream).await.contains("\"next\""));
    }

    #[tokio::test]
    async fn a_subscriber_that_is_not_there_holds_nobody_up_and_learns_what_it_missed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let destination = format!(r#""protocol":"TCP","port":{port}"#);
        let (telemetry, clock) = subscribed(&destination, port).await;
        let flood = "x".repeat(1000);
        (0..10_000).for_each(|_| telemetry.line(Printed::Function, true, Millis(0), &flood));
        let listener = loop {
            // Every attempt fails until somebody listens.
            clock.advance(Duration::from_secs(10));
            if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)).await {
                break listener;
            }
        };
        let (stream, _) = listener.accept().await.unwrap();
        let mut text = String::new();
        let mut stream = tokio::io::BufReader::new(stream);
        while !text.contains("platform.logsDropped") {
            tokio::io::AsyncBufReadExt::read_line(&mut stream, &mut text).await.unwrap();
        }
        assert!(text.contains("\"droppedRecords\":"), "{text}");
    }
}
