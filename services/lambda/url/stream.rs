//! A function's answer that comes in pieces (`RESPONSE_STREAM`).
//!
//! Sources: "Response streaming for Lambda functions", and answers recorded from AWS: what a handler
//! returns without streaming is the body as it is, whatever it looks like. Source of the prelude, a
//! JSON head and eight zero bytes before the body: AWS's runtime clients.

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use runtime::Streamed;
use wire::{Truncated, UrlAnswer, UrlResponse};

use crate::url::response::{Malformed, STREAM_TYPE, prelude};

/// The type of streams that begin with a prelude.
const WITH_PRELUDE: &str = "application/vnd.awslambda.http-integration-response";
/// What separates it from the body.
const SEPARATOR: [u8; 8] = [0; 8];
/// The longest prelude, in bytes. Ours: clients take no longer heads.
const PRELUDE_BYTES: usize = 64 << 10;

/// The answer that a stream begins, as soon as its head is known.
pub(crate) async fn answer(mut streamed: Streamed) -> UrlAnswer {
    let head = match streamed.content_type.as_deref() {
        Some(WITH_PRELUDE) => read_prelude(&mut streamed).await,
        given => {
            let content_type = given.unwrap_or(STREAM_TYPE).to_owned();
            let headers = vec![("content-type".to_owned(), content_type)];
            match streamed.chunks.recv().await {
                Some(body) => Ok(UrlResponse { status: 200, headers, body }),
                None => return without_body(streamed, headers).await,
            }
        }
    };
    match head {
        Ok(head) => UrlAnswer { head, rest: Some(rest(streamed)) },
        // Before the end of its prelude an answer fails as a whole.
        Err(Malformed) => UrlResponse::bad_gateway().into(),
    }
}

/// What ended without a byte went well and is empty, or failed.
async fn without_body(streamed: Streamed, headers: Vec<(String, String)>) -> UrlAnswer {
    match streamed.outcome.await {
        Ok(outcome) if outcome.error.is_none() => {
            UrlResponse { status: 200, headers, body: Bytes::new() }.into()
        }
        _ => UrlResponse::bad_gateway().into(),
    }
}

/// Reads up to the separator; what has come of the body is the head's.
async fn read_prelude(streamed: &mut Streamed) -> Result<UrlResponse, Malformed> {
    let mut read = BytesMut::new();
    loop {
        read.extend_from_slice(&streamed.chunks.recv().await.ok_or(Malformed)?);
        let end = read.windows(SEPARATOR.len()).position(|bytes| bytes == SEPARATOR);
        if let Some(end) = end {
            let body = read.split_off(end + SEPARATOR.len()).freeze();
            return Ok(UrlResponse { body, ..prelude(&read[..end])? });
        }
        if read.len() > PRELUDE_BYTES {
            return Err(Malformed);
        }
    }
}

/// What is still to come. A function that fails on the way breaks the body off, which clients see.
fn rest(streamed: Streamed) -> stream::BoxStream<'static, Result<Bytes, Truncated>> {
    let next = async |streamed: Option<Streamed>| {
        let mut streamed = streamed?;
        if let Some(chunk) = streamed.chunks.recv().await {
            return Some((Ok(chunk), Some(streamed)));
        }
        match streamed.outcome.await {
            Ok(outcome) if outcome.error.is_none() => None,
            _ => Some((Err(Truncated), None)),
        }
    };
    stream::unfold(Some(streamed), next).boxed()
}

#[cfg(test)]
mod tests {
    use runtime::{FunctionError, Outcome, Report};
    use tokio::sync::{mpsc, oneshot};

    use super::*;

    /// A stream of chunks that ends well, or not.
    fn streamed(kind: Option<&str>, chunks: &[&[u8]], error: Option<FunctionError>) -> Streamed {
        let (sender, receiver) = mpsc::channel(16);
        for chunk in chunks {
            sender.try_send(Bytes::copy_from_slice(chunk)).unwrap();
        }
        let (ended, outcome) = oneshot::channel();
        let _ = ended.send(Outcome {
            payload: Bytes::new(),
            error,
            error_type: None,
            log_tail: Bytes::new(),
            log_stream: String::new(),
            report: Report::default(),
            ending: None,
        });
        Streamed { content_type: kind.map(str::to_owned), chunks: receiver, outcome }
    }

    async fn whole(streamed: Streamed) -> (UrlResponse, Result<Vec<u8>, Truncated>) {
        let UrlAnswer { head, rest } = answer(streamed).await;
        let mut body = head.body.to_vec();
        let mut rest = rest.unwrap_or_else(|| stream::empty().boxed());
        while let Some(chunk) = rest.next().await {
            match chunk {
                Ok(chunk) => body.extend_from_slice(&chunk),
                Err(truncated) => return (head, Err(truncated)),
            }
        }
        (head, Ok(body))
    }

    #[tokio::test]
    async fn a_prelude_may_come_in_pieces() {
        let kind = Some(WITH_PRELUDE);
        let pieces: [&[u8]; 4] =
            [b"{\"statusCode\": 201, \"cookies\"", b": [\"a=1\"]}\0\0\0", b"\0\0\0\0\0fir", b"st"];
        let (head, body) = whole(streamed(kind, &pieces, None)).await;
        assert_eq!((head.status, &head.body[..]), (201, &b"fir"[..]));
        assert!(head.headers.contains(&("set-cookie".to_owned(), "a=1".to_owned())));
        assert_eq!(body.unwrap(), b"first");
    }

    #[tokio::test]
    async fn other_streams_are_bodies() {
        let (head, body) = whole(streamed(None, &[br#"{"statusCode": 404}"#], None)).await;
        assert_eq!((head.status, body.unwrap()), (200, br#"{"statusCode": 404}"#.to_vec()));
        assert_eq!(head.headers[0].1, STREAM_TYPE);
        let (head, body) = whole(streamed(Some("text/html"), &[b"<p>", b"</p>"], None)).await;
        assert_eq!((head.headers[0].1.as_str(), body.unwrap()), ("text/html", b"<p></p>".to_vec()));
        let (head, body) = whole(streamed(Some("text/html"), &[], None)).await;
        assert_eq!((head.status, body.unwrap()), (200, Vec::new()));
    }

    #[tokio::test]
    async fn a_failure_is_a_bad_gateway_before_the_body_and_breaks_it_off_later() {
        let failed = Some(FunctionError::Unhandled);
        let (head, _) = whole(streamed(None, &[], failed)).await;
        assert_eq!(head.status, 502);
        let (head, body) = whole(streamed(Some("text/plain"), &[b"a", b"b"], failed)).await;
        assert_eq!((head.status, body), (200, Err(Truncated)));
        for bad in
            [&b"no\0\0\0\0\0\0\0\0"[..], b"{\"statusCode\": 200}", &[b' '; PRELUDE_BYTES + 1]]
        {
            let (head, _) = whole(streamed(Some(WITH_PRELUDE), &[bad], None)).await;
            assert_eq!(head.status, 502);
        }
    }
}
