//! Sockets: accepts connections and serves HTTP/1.1 on them.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
};

use crate::Front;

/// Connections at once; further ones wait in the kernel's backlog.
const MAX_CONNECTIONS: usize = 10_000;
/// A client that has not sent its request's head by then is let go.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
/// How long to wait when the system gives no connection: it says so at once, every time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who is at the other end of a connection.
pub struct Client {
    address: SocketAddr,
    /// Unbounded but by the number of connections for whoever is not a function.
    room: Option<Room>,
}

impl Client {
    /// One whose requests' bodies share so many bytes with those of its other connections.
    pub fn within(address: SocketAddr, room: Arc<Semaphore>) -> Client {
        Client { address, room: Some(Room(room)) }
    }
}

/// Bytes for the bodies of requests; goes with each as an extension.
#[derive(Clone)]
pub(crate) struct Room(Arc<Semaphore>);

/// What a request has of it until it is answered.
#[derive(Clone)]
pub(crate) struct Taken(#[allow(dead_code)] Arc<OwnedSemaphorePermit>);

impl Room {
    /// Waits until there is this much. All of it at once, before the first byte is read: requests
    /// that have read parts of their bodies would wait for each other.
    pub(crate) async fn take(&self, bytes: usize) -> Option<Taken> {
        let bytes = u32::try_from(bytes).ok()?;
        let taken = self.0.clone().acquire_many_owned(bytes).await.ok()?;
        Some(Taken(Arc::new(taken)))
    }
}

/// Accepts connections until told to stop, then lets those with a request under way finish it.
pub async fn serve(front: Arc<Front>, listener: TcpListener, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => break,
        };
        match accepted {
            Ok((socket, address)) => {
                let (front, stop) = (front.clone(), stop.clone());
                connections.spawn(async move {
                    let client = Client { address, room: None };
                    serve_connection(front, socket, client, stop).await;
                    drop(place);
                });
            }
            // Out of descriptors: the next close makes room.
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                front.clock().sleep(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    while connections.join_next().await.is_some() {}
}

/// Serves one connection to its end, or to the end of the request under way when told to stop.
pub async fn serve_connection(
    front: Arc<Front>,
    socket: TcpStream,
    client: Client,
    mut stop: watch::Receiver<bool>,
) {
    // Head and body of small answers leave in one packet, and none waits for the other side's ack.
    let _ = socket.set_nodelay(true);
    let Client { address, room } = client;
    let source_ip = address.ip().to_string();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let (front, source_ip) = (front.clone(), source_ip.clone());
        if let Some(room) = &room {
            request.extensions_mut().insert(room.clone());
        }
        async move { Ok::<_, Infallible>(front.handle(request, source_ip).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .pipeline_flush(true)
        .serve_connection(TokioIo::new(socket), service);
    tokio::pin!(connection);
    let mut done = tokio::select! {
        done = connection.as_mut() => Some(done),
        _ = stop.changed() => None,
    };
    if done.is_none() {
        connection.as_mut().graceful_shutdown();
        done = Some(connection.await);
    }
    if let Some(Err(error)) = done {
        tracing::debug!(%error, "connection ended");
    }
}
