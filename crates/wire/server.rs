//! Sockets: accepts connections and serves HTTP/1.1 on them.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};

use crate::Front;

/// Connections at once; further ones wait in the kernel's backlog.
const MAX_CONNECTIONS: usize = 10_000;
/// A client that has not sent its request's head by then is let go.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
/// How long to wait when the system gives no connection: it says so at once, every time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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
            Ok((socket, peer)) => {
                let (front, stop) = (front.clone(), stop.clone());
                connections.spawn(async move {
                    serve_connection(front, socket, peer, stop).await;
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
    peer: SocketAddr,
    mut stop: watch::Receiver<bool>,
) {
    // Head and body of small answers leave in one packet, and none waits for the other side's ack.
    let _ = socket.set_nodelay(true);
    let source_ip = peer.ip().to_string();
    let service = service_fn(move |request: Request<Incoming>| {
        let (front, source_ip) = (front.clone(), source_ip.clone());
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
