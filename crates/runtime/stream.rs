//! Responses that stream: from the runtime's connection, piece by piece, to whoever invoked.
//!
//! Always true: what waits for a slow reader is bounded, and the function waits with it, within its
//! timeout. A reader who is gone does not end the invocation, as at Lambda: the function runs to its
//! end, and what it still writes is thrown away.

use bytes::{Bytes, BytesMut};
use kit::Clock;
use tokio::sync::{mpsc, oneshot};

use crate::{
    api::MAX_RESPONSE_BYTES,
    bandwidth::Bucket,
    desk::Takes,
    function::Outcome,
    http::{Piece, Trailers},
};

/// Lambda's limit of a response that streams ("Lambda quotas": 200 MB).
const MAX_STREAMED_BYTES: usize = 200 * 1024 * 1024;
/// Pieces that wait between the connection and the invocation. Each is what one read gave.
pub(crate) const PIECES: usize = 4;
/// Chunks that wait for the reader.
const CHUNKS: usize = 16;

/// An invocation whose response is on its way.
#[derive(Debug)]
pub struct Streamed {
    /// As the runtime names it; `None` if the handler has not streamed.
    pub content_type: Option<String>,
    /// The response, as it comes. Ends with the invocation, however that ended. The response of a
    /// handler that does not stream is one chunk; an error before the first byte is none.
    pub chunks: mpsc::Receiver<Bytes>,
    /// What it came to, known after the last chunk. Its payload is empty, or the error document.
    pub outcome: oneshot::Receiver<Outcome>,
}

impl Streamed {
    /// Of an invocation that is over without a response.
    pub(crate) fn over(outcome: Outcome) -> Streamed {
        let (ended, receiver) = oneshot::channel();
        let _ = ended.send(outcome);
        Streamed { content_type: None, chunks: mpsc::channel(1).1, outcome: receiver }
    }
}

/// A response that a runtime has begun.
#[derive(Debug)]
pub(crate) struct Stream {
    /// As the runtime names it.
    pub(crate) content_type: String,
    /// Closed without an end: the connection was lost.
    pub(crate) pieces: mpsc::Receiver<Piece>,
}

/// How a stream ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    /// By the runtime's will.
    Complete(Trailers),
    /// There was more than this many bytes.
    TooLarge(usize),
    /// With its connection.
    Lost,
}

/// Where a response goes.
pub(crate) enum Destination {
    /// To its end into memory, for who wants it whole.
    Whole(BytesMut),
    /// To a reader, as it comes.
    Reader(Outlet),
}

impl Destination {
    /// How it takes a response.
    pub(crate) fn takes(&self) -> Takes {
        match self {
            Destination::Whole(_) => Takes::Whole,
            Destination::Reader(_) => Takes::Stream,
        }
    }

    /// Into memory.
    pub(crate) fn whole() -> Destination {
        Destination::Whole(BytesMut::new())
    }

    /// Hands a response on that came whole; what remains to be given with the outcome.
    pub(crate) async fn put_whole(&mut self, response: Bytes) -> Bytes {
        match self {
            Destination::Whole(_) => response,
            Destination::Reader(outlet) => {
                outlet.open(None);
                outlet.send(response).await;
                Bytes::new()
            }
        }
    }

    /// Hands a stream on to its end.
    pub(crate) async fn carry(&mut self, stream: &mut Stream, clock: &Clock) -> Carried {
        let limit = match self {
            Destination::Whole(_) => MAX_RESPONSE_BYTES,
            Destination::Reader(_) => MAX_STREAMED_BYTES,
        };
        let mut carried = 0;
        loop {
            let piece = stream.pieces.recv().await;
            if let (Destination::Reader(outlet), Some(_)) = (&mut *self, &piece) {
                outlet.open(Some(&stream.content_type));
            }
            let data = match piece {
                None => return Carried::Lost,
                Some(Piece::End(trailers)) => return Carried::Complete(trailers),
                Some(Piece::Data(data)) => data,
            };
            carried += data.len();
            if carried > limit {
                return Carried::TooLarge(limit);
            }
            match self {
                Destination::Whole(whole) => whole.extend_from_slice(&data),
                Destination::Reader(outlet) => outlet.send_in_time(data, clock).await,
            }
        }
    }

    /// What was collected of a stream.
    pub(crate) fn collected(self) -> Bytes {
        match self {
            Destination::Whole(whole) => whole.freeze(),
            Destination::Reader(_) => Bytes::new(),
        }
    }
}

/// The near end of a [`Streamed`].
pub(crate) struct Outlet {
    /// Until something is known of the response.
    opened: Option<oneshot::Sender<Option<String>>>,
    /// Until the reader is gone.
    chunks: Option<mpsc::Sender<Bytes>>,
    bucket: Bucket,
}

impl Outlet {
    /// An outlet with its far end, which resolves when something is known of the response.
    pub(crate) fn new(clock: &Clock) -> (Outlet, Opening) {
        let (opened, content_type) = oneshot::channel();
        let (sender, chunks) = mpsc::channel(CHUNKS);
        let bucket = Bucket::new(clock.now());
        let outlet = Outlet { opened: Some(opened), chunks: Some(sender), bucket };
        (outlet, Opening { content_type, chunks })
    }

    fn open(&mut self, content_type: Option<&str>) {
        if let Some(opened) = self.opened.take() {
            let _ = opened.send(content_type.map(str::to_owned));
        }
    }

    async fn send_in_time(&mut self, chunk: Bytes, clock: &Clock) {
        if self.chunks.is_some() {
            clock.sleep_until(self.bucket.take(chunk.len(), clock.now())).await;
            self.send(chunk).await;
        }
    }

    async fn send(&mut self, chunk: Bytes) {
        if let Some(chunks) = &self.chunks
            && chunks.send(chunk).await.is_err()
        {
            self.chunks = None;
        }
    }
}

/// The far end of an [`Outlet`].
pub(crate) struct Opening {
    content_type: oneshot::Receiver<Option<String>>,
    chunks: mpsc::Receiver<Bytes>,
}

impl Opening {
    /// Waits until the response has begun, or the invocation is over.
    pub(crate) async fn begun(self, outcome: oneshot::Receiver<Outcome>) -> Streamed {
        let content_type = self.content_type.await.ok().flatten();
        Streamed { content_type, chunks: self.chunks, outcome }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const MIB: usize = 1024 * 1024;

    fn stream() -> (mpsc::Sender<Piece>, Stream) {
        let (sender, pieces) = mpsc::channel(PIECES);
        (sender, Stream { content_type: "text/plain".to_owned(), pieces })
    }

    /// Sends the same piece again and again, until nobody takes it.
    fn endless(piece: Bytes) -> Stream {
        let (sender, stream) = stream();
        tokio::spawn(async move { while sender.send(Piece::Data(piece.clone())).await.is_ok() {} });
        stream
    }

    #[tokio::test]
    async fn a_stream_that_is_wanted_whole_is_collected_up_to_the_limit_of_responses() {
        let (sender, mut few) = stream();
        for data in ["a", "b"] {
            sender.send(Piece::Data(data.into())).await.unwrap();
        }
        sender.send(Piece::End(Trailers::default())).await.unwrap();
        let mut whole = Destination::whole();
        let carried = whole.carry(&mut few, &Clock::default()).await;
        assert_eq!(
            (carried, whole.collected()),
            (Carried::Complete(Trailers::default()), "ab".into())
        );
        let mut whole = Destination::whole();
        let carried = whole.carry(&mut endless(vec![0; MIB].into()), &Clock::default()).await;
        assert_eq!(carried, Carried::TooLarge(6_291_556));
    }

    #[tokio::test]
    async fn a_reader_gets_200_mib_at_the_bandwidth_of_lambda() {
        let clock = Clock::default();
        let began = clock.now();
        let (outlet, mut opening) = Outlet::new(&clock);
        let carrying = tokio::spawn({
            let (mut destination, clock) = (Destination::Reader(outlet), clock.clone());
            async move { destination.carry(&mut endless(vec![0; MIB].into()), &clock).await }
        });
        let mut read = 0;
        while !(carrying.is_finished() && opening.chunks.is_empty()) {
            while let Ok(chunk) = opening.chunks.try_recv() {
                read += chunk.len();
            }
            tokio::task::yield_now().await;
            // Nothing real to wait for: the clock decides.
            if opening.chunks.is_empty() {
                clock.advance(Duration::from_millis(125));
            }
        }
        assert_eq!(carrying.await.unwrap(), Carried::TooLarge(200 * MIB));
        assert_eq!(read, 200 * MIB);
        // The first 6 MiB are free.
        assert!(clock.now().since(began) >= 97_000, "{}", clock.now().since(began));
    }

    #[tokio::test]
    async fn a_reader_who_is_gone_does_not_end_the_stream() {
        let clock = Clock::default();
        let (outlet, opening) = Outlet::new(&clock);
        drop(opening);
        let (sender, mut stream) = stream();
        let writer = tokio::spawn(async move {
            for _ in 0..100 {
                sender.send(Piece::Data(vec![0; MIB].into())).await.unwrap();
            }
        });
        let carried = Destination::Reader(outlet).carry(&mut stream, &clock).await;
        writer.await.unwrap();
        assert_eq!(carried, Carried::Lost, "after everything was taken");
    }
}
