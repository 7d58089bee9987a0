//! The X-Ray daemon as instances see it: segments come as datagrams, and questions about sampling over
//! HTTP. What is a segment goes on to the rest of the server; what is not is dropped and counted.

use std::{io, sync::Arc};

use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream, UdpSocket},
    task::JoinSet,
};

use crate::{
    function::{Function, Surroundings},
    http::{self, Reader},
    sandbox::Sandboxed,
};

/// Longest segment document ("AWS X-Ray segment documents": 64 KB). A datagram holds no more anyway.
const MAX_DATAGRAM_BYTES: usize = 64 * 1024;
/// What every datagram begins with, up to a line's end.
const FORMAT: &str = "json";
const VERSION: u64 = 1;
/// Datagrams that are taken before others have their turn.
const TURN: usize = 64;
/// Connections of one instance at once.
const MAX_CONNECTIONS: usize = 8;
/// Longest question.
const MAX_BODY_BYTES: usize = 256 * 1024;

/// Serves an instance for as long as it is polled.
pub(crate) async fn serve(
    sandboxed: &Sandboxed,
    function: &Arc<Function>,
    surroundings: &Arc<dyn Surroundings>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = sandboxed.segments.readable() => {
                let (documents, dropped) = receive(&sandboxed.segments);
                if !documents.is_empty() || dropped > 0 {
                    surroundings.keep_segments(function, documents, dropped);
                }
                tokio::task::yield_now().await;
            }
            Some(stream) = accept(&sandboxed.xray) => {
                while connections.try_join_next().is_some() {}
                if connections.len() < MAX_CONNECTIONS {
                    connections.spawn(answer(stream, function.clone()));
                }
            }
        }
    }
}

/// A connection; errors pass, and the SDKs get along without.
async fn accept(listener: &TcpListener) -> Option<TcpStream> {
    listener.accept().await.ok().map(|(stream, _)| stream)
}

/// What there is now, and how much of it was no segment.
fn receive(socket: &UdpSocket) -> (Vec<String>, u64) {
    // One byte more than may be: a longer datagram shows.
    let mut buffer = vec![0; MAX_DATAGRAM_BYTES + 1];
    let (mut documents, mut dropped) = (Vec::new(), 0);
    for _ in 0..TURN {
        match socket.try_recv(&mut buffer) {
            Ok(length) => match segment(&buffer[..length]) {
                Some(document) => documents.push(document),
                None => dropped += 1,
            },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(_) => {}
        }
    }
    (documents, dropped)
}

/// The segment in a datagram: a JSON object that names its trace and itself.
fn segment(datagram: &[u8]) -> Option<String> {
    if datagram.len() > MAX_DATAGRAM_BYTES {
        return None;
    }
    let (header, document) = std::str::from_utf8(datagram).ok()?.split_once('\n')?;
    let header: Value = serde_json::from_str(header).ok()?;
    if header["format"] != FORMAT || header["version"] != VERSION {
        return None;
    }
    let parsed: Value = serde_json::from_str(document).ok()?;
    let is_named = parsed["trace_id"].is_string() && parsed["id"].is_string();
    is_named.then(|| document.trim().to_owned())
}

async fn answer(stream: TcpStream, function: Arc<Function>) {
    if let Err(error) = converse(&stream, &function).await {
        tracing::debug!(%error, "a connection to the X-Ray daemon ended");
    }
}

async fn converse(stream: &TcpStream, function: &Function) -> io::Result<()> {
    let mut reader = Reader::new(stream, MAX_BODY_BYTES);
    while let Some(request) = reader.next().await? {
        let (status, body) = match (request.method(), request.path()) {
            (b"POST", "/GetSamplingRules") => ("200 OK", rules(function)),
            (b"POST", "/SamplingTargets") => ("200 OK", targets()),
            (_, path) => {
                let text = format!("The X-Ray daemon of an instance does not proxy {path}");
                ("404 Not Found", json!({ "message": text }))
            }
        };
        let body = body.to_string();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        http::write_all(stream, &[head.as_bytes(), body.as_bytes()]).await?;
    }
    Ok(())
}

/// The rule that every account has: one request a second, and 5 % of the rest.
fn rules(function: &Function) -> Value {
    let arn = format!(
        "arn:aws:xray:{}:{}:sampling-rule/Default",
        function.region,
        function.account.as_str()
    );
    json!({
        "SamplingRuleRecords": [{
            "SamplingRule": {
                "RuleName": "Default",
                "RuleARN": arn,
                "ResourceARN": "*",
                "Priority": 10_000,
                "FixedRate": 0.05,
                "ReservoirSize": 1,
                "ServiceName": "*",
                "ServiceType": "*",
                "Host": "*",
                "HTTPMethod": "*",
                "URLPath": "*",
                "Version": 1,
                "Attributes": {},
            },
            "CreatedAt": 0.0,
            "ModifiedAt": 0.0,
        }],
    })
}

/// Nobody shares a reservoir here: there is no target to keep to.
fn targets() -> Value {
    json!({
        "SamplingTargetDocuments": [],
        "LastRuleModification": 0.0,
        "UnprocessedStatistics": [],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENT: &str =
        r#"{"trace_id":"1-5759e988-bd862e3fe1be46a994272793","id":"53995c3f42cd8ad8"}"#;

    #[test]
    fn a_datagram_is_a_header_and_a_segment() {
        let of = |header: &str, document: &str| segment(format!("{header}\n{document}").as_bytes());
        let header = r#"{"format": "json", "version": 1}"#;
        assert_eq!(of(header, SEGMENT).as_deref(), Some(SEGMENT));
        for (header, document) in [
            (r#"{"format":"xml","version":1}"#, SEGMENT),
            (r#"{"format":"json","version":2}"#, SEGMENT),
            ("hello", SEGMENT),
            (header, "{"),
            (header, "[1]"),
            (header, r#"{"id":"53995c3f42cd8ad8"}"#),
        ] {
            assert_eq!(of(header, document), None, "{header} {document}");
        }
        assert_eq!(segment(SEGMENT.as_bytes()), None);
        assert_eq!(segment(&[0xff; 10]), None);
        let long =
            format!(r#"{{"trace_id":"t","id":"i","x":"{}"}}"#, "x".repeat(MAX_DATAGRAM_BYTES));
        assert_eq!(of(header, &long), None);
    }

    #[tokio::test]
    async fn datagrams_are_taken_in_turns() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let good = format!("{{\"format\":\"json\",\"version\":1}}\n{SEGMENT}");
        sender.send_to(good.as_bytes(), address).await.unwrap();
        sender.send_to(b"nonsense", address).await.unwrap();
        socket.readable().await.unwrap();
        let (mut documents, mut dropped) = (Vec::new(), 0);
        while documents.len() as u64 + dropped < 2 {
            let (more, lost) = receive(&socket);
            documents.extend(more);
            dropped += lost;
            tokio::task::yield_now().await;
        }
        assert_eq!((documents.as_slice(), dropped), (&[SEGMENT.to_owned()][..], 1));
    }
}
