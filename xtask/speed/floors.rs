//! What the machine allows without lampejo: synced appends in groups, bare HTTP over loopback, a
//! bare Runtime API, files.

use std::{
    fs::File,
    io::Write,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Instant,
};

use anyhow::Context;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use super::bench::{CLIENTS, Work, rate};

/// What one small append holds: about a message with its row.
pub(super) const APPEND_BYTES: usize = 256;

/// More than the fastest disk takes in a measurement.
const APPENDED_MAX_BYTES: u64 = 1 << 30;

/// Appends of all clients per second to one file, synced in groups: whoever waits when a sync
/// begins is acknowledged by it.
pub(super) async fn synced_appends(
    folder: &Path,
    clients: usize,
    bytes: usize,
) -> anyhow::Result<f64> {
    let path = folder.join("appends");
    let file = File::create(&path)?;
    // As journals do: syncs then have no new length to write.
    file.set_len(APPENDED_MAX_BYTES)?;
    let (sender, waiting) = mpsc::channel();
    let writer = thread::spawn(move || append(file, bytes, &waiting));
    let clients = (0..clients).map(|_| Appender { sender: sender.clone() }).collect();
    let rate = rate(clients).await;
    drop(sender);
    writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
    std::fs::remove_file(path)?;
    rate
}

struct Appender {
    sender: mpsc::Sender<oneshot::Sender<()>>,
}

impl Work for Appender {
    async fn step(&mut self) -> anyhow::Result<()> {
        let (done, synced) = oneshot::channel();
        self.sender.send(done)?;
        Ok(synced.await?)
    }
}

fn append(
    mut file: File,
    bytes: usize,
    waiting: &mpsc::Receiver<oneshot::Sender<()>>,
) -> std::io::Result<()> {
    while let Ok(first) = waiting.recv() {
        let group: Vec<_> = [first].into_iter().chain(waiting.try_iter()).collect();
        file.write_all(&vec![7; bytes * group.len()])?;
        file.sync_data()?;
        for done in group {
            // A client that has left does not wait for its answer.
            let _ = done.send(());
        }
    }
    Ok(())
}

/// Megabytes per second of a file written and synced.
pub(super) fn file(folder: &Path, bytes: usize) -> anyhow::Result<f64> {
    let path = folder.join("file");
    let data = vec![7; bytes];
    let began = Instant::now();
    let mut file = File::create(&path)?;
    file.write_all(&data)?;
    file.sync_all()?;
    let rate = bytes as f64 / 1e6 / began.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(rate)
}

/// An HTTP server that answers every request with the same bytes, on a thread of its own.
pub(super) fn answer_all(body_bytes: usize) -> anyhow::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let mut answer =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {body_bytes}\r\n\r\n").into_bytes();
    answer.resize(answer.len() + body_bytes, 7);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Ends with this process.
    thread::spawn(move || {
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener)?;
            loop {
                let (stream, _) = listener.accept().await?;
                tokio::spawn(echo(stream, answer.clone()));
            }
            #[allow(unreachable_code, reason = "gives the block its type")]
            anyhow::Ok(())
        })
    });
    Ok(address)
}

/// Whole requests of the bench come in one read, as they are small.
async fn echo(mut stream: TcpStream, answer: Vec<u8>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut request = vec![0; 64 << 10];
    while stream.read(&mut request).await? > 0 {
        stream.write_all(&answer).await?;
    }
    Ok(())
}

/// An interpreter that asks a bare Runtime API for events and answers them.
pub(super) struct BareRuntime {
    stream: TcpStream,
    interpreter: Child,
}

impl BareRuntime {
    /// As many interpreters as there are clients.
    pub(super) async fn several(python: &Path) -> anyhow::Result<Vec<BareRuntime>> {
        let mut all = Vec::new();
        for _ in 0..CLIENTS {
            all.push(BareRuntime::start(python).await?);
        }
        Ok(all)
    }

    /// Starts one and waits until it has asked for its first event.
    pub(super) async fn start(python: &Path) -> anyhow::Result<BareRuntime> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let interpreter = Command::new(python)
            .args(["-S", "-c", include_str!("functions/bare.py")])
            .arg(listener.local_addr()?.port().to_string())
            .stdin(Stdio::null())
            .spawn()
            .context("cannot start the interpreter")?;
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let mut runtime = BareRuntime { stream, interpreter };
        runtime.receive().await?;
        Ok(runtime)
    }

    /// Its process id.
    pub(super) fn process(&self) -> u32 {
        self.interpreter.id()
    }

    async fn receive(&mut self) -> anyhow::Result<()> {
        let mut request = [0; 4096];
        let length = self.stream.read(&mut request).await?;
        anyhow::ensure!(length > 0, "the interpreter ended");
        Ok(())
    }
}

impl Work for BareRuntime {
    /// The event goes out, the response comes in and is taken, the next event is asked for.
    async fn step(&mut self) -> anyhow::Result<()> {
        let event =
            b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 1\r\nContent-Length: 2\r\n\r\n{}";
        self.stream.write_all(event).await?;
        self.receive().await?;
        self.stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").await?;
        self.receive().await
    }
}

impl Drop for BareRuntime {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.interpreter.kill();
        let _ = self.interpreter.wait();
    }
}
