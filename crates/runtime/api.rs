//! The Runtime API (2018-06-01) of one instance: `next`, `response`, `error`, `init/error`,
//! `restore/error`; what is for extensions goes to `extensions/api`.
//! Only that instance's processes reach its listener, so nobody has to say who they are; all that
//! they send is nevertheless taken as hostile: bounded, and checked against what the pool asked.

use std::{io, sync::Arc};

use tokio::{net::TcpStream, sync::mpsc};

use crate::{
    desk::{Answer, Desk, Init, Parked, Refusal, Reported},
    extensions,
    function::Invocation,
    http::{self, Body, Piece, Reader, Request, ResponseMode},
    log::Log,
    stream::{self, Stream},
};

/// Lambda's limit of a response: 6 MiB and a little.
pub(crate) const MAX_RESPONSE_BYTES: usize = 6 * 1024 * 1024 + 100;

/// Replies are held back for the next one's packet up to this much.
const MAX_OWED_BYTES: usize = 4096;

/// What a request comes to.
pub(crate) enum Reply {
    /// Answered with this.
    Now(Vec<u8>),
    /// Answered when there is an event.
    WhenInvoked,
    /// Answered when its body has ended: the response to this invocation.
    WhenStreamed(String),
}

/// Serves one connection until the client closes it or talks nonsense.
pub(crate) async fn serve(stream: TcpStream, desk: Arc<Desk>, log: Arc<Log>) {
    let stream = Arc::new(stream);
    if let Err(error) = converse(&stream, &desk, &log).await {
        tracing::debug!(%error, "a Runtime API connection ended");
    }
    desk.unpark(&stream);
}

async fn converse(stream: &Arc<TcpStream>, desk: &Desk, log: &Log) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = Reader::new(stream, MAX_RESPONSE_BYTES);
    // Replies to requests that have the next one behind them are written with that one's.
    let mut owed = Vec::new();
    while let Some(mut request) = reader.next().await? {
        if request.body == Body::Streaming && !streams(&request, desk) {
            request.body = reader.whole().await?;
        }
        let bytes = match reply(&request, (desk, log), stream, &mut owed) {
            Reply::WhenInvoked => continue,
            Reply::Now(bytes) => bytes,
            Reply::WhenStreamed(id) => {
                streamed(&id, request.content_type, &mut reader, desk).await?
            }
        };
        owed.extend_from_slice(&bytes);
        if !reader.has_more() || owed.len() > MAX_OWED_BYTES {
            http::write_all(stream, &[&owed]).await?;
            owed.clear();
        }
    }
    Ok(())
}

/// Whoever takes a stream gets what comes in chunks as it comes: aws-lambda-go does not say that it
/// streams, and Lambda does not ask (its emulator shows how).
fn streams(request: &Request, desk: &Desk) -> bool {
    match request.response_mode {
        Some(mode) => mode == ResponseMode::Streaming,
        None => desk.takes_stream(),
    }
}

fn reply(
    request: &Request,
    (desk, log): (&Desk, &Log),
    stream: &Arc<TcpStream>,
    owed: &mut Vec<u8>,
) -> Reply {
    let Some(path) = request.path().strip_prefix("/2018-06-01/runtime/") else {
        return extensions::api::reply(request, (desk, log), stream, owed);
    };
    let parts: Vec<&str> = path.split('/').collect();
    match (request.method(), parts.as_slice()) {
        (b"GET", ["invocation", "next"]) => {
            request.loaded.map(|loaded| desk.loaded.set(loaded));
            let parked = Parked { stream: stream.clone(), owed: std::mem::take(owed) };
            match desk.park(parked) {
                Ok(()) => Reply::WhenInvoked,
                Err((refusal, parked)) => {
                    *owed = parked.owed;
                    Reply::Now(refused(&refusal))
                }
            }
        }
        (b"POST", ["invocation", id, "response"]) => match request.body {
            Body::Streaming => Reply::WhenStreamed((*id).to_owned()),
            _ => Reply::Now(respond(desk, id, request)),
        },
        (b"POST", ["invocation", id, "error"]) => {
            let answered = match reported(request) {
                Some(reported) => desk.answer(id, Answer::Error(reported)),
                None => desk.answer(id, Answer::TooLarge),
            };
            Reply::Now(answered.map_or_else(|refusal| refused(&refusal), |()| accepted()))
        }
        (b"POST", [phase @ ("init" | "restore"), "error"]) => {
            let reported = reported(request)
                .unwrap_or(Reported { error_type: request.error_type.clone(), body: "{}".into() });
            let taken = desk.end_init(match *phase {
                "init" => Init::Failed(reported),
                _ => Init::RestoreFailed(reported),
            });
            Reply::Now(taken.map_or_else(|refusal| refused(&refusal), |()| accepted()))
        }
        // Ours: a runtime that is initialised names its two ends of a channel.
        (b"POST", ["snapshot", theirs, ours]) => match (theirs.parse(), ours.parse()) {
            (Ok(theirs), Ok(ours)) => {
                let taken = desk.end_init(Init::Offered([theirs, ours]));
                Reply::Now(taken.map_or_else(|refusal| refused(&refusal), |()| accepted()))
            }
            _ => Reply::Now(not_found()),
        },
        _ => Reply::Now(not_found()),
    }
}

fn respond(desk: &Desk, id: &str, request: &Request) -> Vec<u8> {
    let (answer, reply) = match &request.body {
        _ if request.response_mode == Some(ResponseMode::Unknown) => {
            let text = "Invalid function response mode";
            let reply = error("400 Bad Request", "InvalidFunctionResponseMode", text);
            (Answer::InvalidResponseMode, reply)
        }
        Body::Whole(body) => (Answer::Response(body.clone()), accepted()),
        Body::TooLarge | Body::Streaming => {
            let text =
                format!("Exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes).");
            let status = "413 Request Entity Too Large";
            (Answer::TooLarge, error(status, "RequestEntityTooLarge", &text))
        }
    };
    desk.answer(id, answer).map_or_else(|refusal| refused(&refusal), |()| reply)
}

/// Carries a response that streams to whoever waits for it; the reply to give at its end.
async fn streamed(
    id: &str,
    content_type: Option<String>,
    reader: &mut Reader<'_>,
    desk: &Desk,
) -> io::Result<Vec<u8>> {
    let (sender, pieces) = mpsc::channel(stream::PIECES);
    let content_type = content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
    if let Err(refusal) = desk.answer(id, Answer::Streaming(Stream { content_type, pieces })) {
        reader.skip().await?;
        return Ok(refused(&refusal));
    }
    let carried = carry(reader, &sender).await;
    desk.streamed();
    carried.map(|()| accepted())
}

async fn carry(reader: &mut Reader<'_>, pieces: &mpsc::Sender<Piece>) -> io::Result<()> {
    loop {
        let piece = reader.piece().await?;
        let ends = matches!(piece, Piece::End(_));
        // Whoever no longer takes the response also stops the instance.
        pieces.send(piece).await.map_err(|_| io::ErrorKind::ConnectionAborted)?;
        if ends {
            return Ok(());
        }
    }
}

fn reported(request: &Request) -> Option<Reported> {
    match &request.body {
        Body::Whole(body) => {
            Some(Reported { error_type: request.error_type.clone(), body: body.clone() })
        }
        Body::TooLarge | Body::Streaming => None,
    }
}

/// The head of the response that carries an event.
pub(crate) fn event_head(invocation: &Invocation, deadline_ms: u64) -> Vec<u8> {
    let mut head = Vec::with_capacity(512);
    head.extend_from_slice(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n");
    let deadline = deadline_ms.to_string();
    let length = invocation.payload.len().to_string();
    let fields = [
        ("Lambda-Runtime-Aws-Request-Id", Some(invocation.request_id.as_str())),
        ("Lambda-Runtime-Deadline-Ms", Some(&deadline)),
        ("Lambda-Runtime-Invoked-Function-Arn", Some(&invocation.invoked_arn)),
        ("Lambda-Runtime-Trace-Id", Some(&invocation.trace_id)),
        ("Lambda-Runtime-Client-Context", invocation.client_context.as_deref()),
        ("Lambda-Runtime-Cognito-Identity", invocation.cognito_identity.as_deref()),
        ("Lambda-Runtime-Aws-Tenant-Id", invocation.tenant_id.as_deref()),
        ("Content-Length", Some(&length)),
    ];
    for (name, value) in fields {
        let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
        head.extend_from_slice(name.as_bytes());
        head.extend_from_slice(b": ");
        // A caller's JSON may hold line ends: between its tokens, where a space does as well.
        let one_line = |byte: u8| if byte.is_ascii_control() { b' ' } else { byte };
        head.extend(value.bytes().map(one_line));
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

pub(crate) fn accepted() -> Vec<u8> {
    message("202 Accepted", "application/json", "{\"status\":\"OK\"}\n")
}

pub(crate) fn not_found() -> Vec<u8> {
    message("404 Not Found", "text/plain; charset=utf-8", "404 page not found\n")
}

fn refused(refusal: &Refusal) -> Vec<u8> {
    match refusal {
        Refusal::InvalidRequestId => {
            error("400 Bad Request", "InvalidRequestID", "Invalid request ID")
        }
        Refusal::InvalidState => {
            let text = "State transition is not allowed";
            error("403 Forbidden", "InvalidStateTransition", text)
        }
    }
}

fn error(status: &str, error_type: &str, text: &str) -> Vec<u8> {
    let body = format!("{{\"errorMessage\":\"{text}\",\"errorType\":\"{error_type}\"}}\n");
    message(status, "application/json", &body)
}

pub(crate) fn message(status: &str, content_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::Takes;
    use kit::ids;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    /// A runtime's end of a served connection.
    struct Runtime {
        stream: TcpStream,
    }

    impl Runtime {
        async fn connect(desk: &Arc<Desk>) -> Runtime {
            let log = Arc::new(Log::for_tests());
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (served, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(served, desk.clone(), log));
            Runtime { stream }
        }

        async fn send(&mut self, method: &str, path: &str, body: &str) {
            let length = body.len();
            let request = format!(
                "{method} /2018-06-01/runtime/{path} HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{body}"
            );
            self.stream.write_all(request.as_bytes()).await.unwrap();
        }

        async fn receive(&mut self) -> String {
            let mut bytes = vec![0; 4096];
            let read = self.stream.read(&mut bytes).await.unwrap();
            String::from_utf8_lossy(&bytes[..read]).into_owned()
        }

        async fn ask(&mut self, method: &str, path: &str, body: &str) -> String {
            self.send(method, path, body).await;
            self.receive().await
        }
    }

    fn invocation() -> Invocation {
        Invocation {
            request_id: ids::uuid(),
            payload: "{\"a\":1}".into(),
            invoked_arn: "arn:aws:lambda:us-east-1:000000000000:function:f".into(),
            trace_id: "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700".into(),
            client_context: Some("{\"a\":\r\n1}".into()),
            cognito_identity: None,
            tenant_id: Some("blue".into()),
        }
    }

    #[tokio::test]
    async fn an_event_comes_with_its_headers_and_its_answer_goes_back() {
        let desk = Arc::new(Desk::default());
        let mut runtime = Runtime::connect(&desk).await;
        runtime.send("GET", "invocation/next", "").await;
        assert!(desk.settled().await);
        let invocation = invocation();
        let head = event_head(&invocation, 123);
        let answer =
            desk.hand(&invocation.request_id, Takes::Whole, &head, &invocation.payload).await;
        let event = runtime.receive().await;
        for part in [
            "Deadline-Ms: 123\r\n",
            "Client-Context: {\"a\":  1}\r\n",
            "Tenant-Id: blue\r\n",
            "\r\n\r\n{\"a\":1}",
        ] {
            assert!(event.contains(part), "{part} in {event}");
        }
        let path = format!("invocation/{}/response", invocation.request_id);
        assert!(runtime.ask("POST", &path, "7").await.starts_with("HTTP/1.1 202 "));
        assert!(matches!(answer.await.unwrap(), Answer::Response(body) if body == "7"));
        assert!(runtime.ask("POST", &path, "8").await.starts_with("HTTP/1.1 403 "), "twice");
    }

    #[tokio::test]
    async fn an_event_that_is_tried_again_is_answered_again() {
        let desk = Arc::new(Desk::default());
        let mut runtime = Runtime::connect(&desk).await;
        let invocation = invocation();
        let path = format!("invocation/{}/response", invocation.request_id);
        for body in ["1", "2"] {
            runtime.send("GET", "invocation/next", "").await;
            assert!(desk.settled().await);
            let answer = desk
                .hand(&invocation.request_id, Takes::Whole, b"HTTP/1.1 200 OK\r\n\r\n", b"")
                .await;
            runtime.receive().await;
            assert!(runtime.ask("POST", &path, body).await.starts_with("HTTP/1.1 202 "));
            assert!(matches!(answer.await.unwrap(), Answer::Response(it) if it == body));
        }
    }

    #[tokio::test]
    async fn forged_ids_other_paths_and_untimely_requests_are_refused() {
        let desk = Arc::new(Desk::default());
        let mut runtime = Runtime::connect(&desk).await;
        let mut other = Runtime::connect(&desk).await;
        runtime.send("GET", "invocation/next", "").await;
        assert!(desk.settled().await);
        let invocation = invocation();
        let head = event_head(&invocation, 123);
        let _answer = desk.hand(&invocation.request_id, Takes::Whole, &head, b"{}").await;

        let forged = other.ask("POST", "invocation/forged/response", "1").await;
        assert!(forged.starts_with("HTTP/1.1 400 ") && forged.contains("InvalidRequestID"));
        let early = other.ask("GET", "invocation/next", "").await;
        assert!(early.starts_with("HTTP/1.1 403 ") && early.contains("InvalidStateTransition"));
        assert!(other.ask("POST", "init/error", "{}").await.starts_with("HTTP/1.1 403 "));
        assert!(other.ask("DELETE", "invocation/next", "").await.starts_with("HTTP/1.1 404 "));
        assert!(other.ask("GET", "restore/next", "").await.starts_with("HTTP/1.1 404 "));
    }
}
