//! The Extensions API (2020-01-01), and the requests to subscribe to telemetry. Who asks is told by
//! an id that only the extension was given: another instance's means nothing here.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;

use super::{
    refused::Refused,
    roster::{Failing, Kind},
    telemetry::{Source, Subscription},
};
use crate::{
    api::{self, Reply},
    desk::{Asked, Desk, Parked},
    http::{Body, Request},
    log::Log,
    platform::Event,
};

const IDENTIFIER: &str = "lambda-extension-identifier";

/// The body of `register`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registration {
    #[serde(default)]
    events: Vec<String>,
    #[serde(default)]
    configuration_keys: Vec<String>,
}

/// Answers a request that is not for the Runtime API.
pub(crate) fn reply(
    request: &Request,
    (desk, log): (&Desk, &Log),
    stream: &Arc<TcpStream>,
    owed: &mut Vec<u8>,
) -> Reply {
    let path = request.path().trim_end_matches('/');
    let answered = match (request.method(), path) {
        (b"GET", "/2020-01-01/extension/event/next") => {
            return next(request, desk, stream, owed);
        }
        (b"POST", "/2020-01-01/extension/register") => register(request, desk, log),
        (b"POST", "/2020-01-01/extension/init/error") => fail(request, desk, Failing::Init),
        (b"POST", "/2020-01-01/extension/exit/error") => fail(request, desk, Failing::Exit),
        (b"PUT", "/2022-07-01/telemetry") => subscribe(Source::Telemetry, request, desk, log),
        (b"PUT", "/2020-08-15/logs") => subscribe(Source::Logs, request, desk, log),
        _ => Ok(api::not_found()),
    };
    Reply::Now(answered.unwrap_or_else(|refused| refusal(&refused)))
}

fn register(request: &Request, desk: &Desk, log: &Log) -> Result<Vec<u8>, Refused> {
    let name = request.header("lambda-extension-name").unwrap_or_default();
    if name.is_empty() {
        return Err(Refused::NoName);
    }
    let registration: Registration = serde_json::from_slice(whole(request)?)
        .map_err(|error| Refused::Format(error.to_string()))?;
    if !registration.configuration_keys.is_empty() {
        let text = "configurationKeys are deprecated; use environment variables instead";
        return Err(Refused::Format(text.to_owned()));
    }
    let (id, kind) = desk.register(name, &registration.events)?;
    if kind == Kind::Internal {
        log.telemetry.want();
    }
    let function = log.function();
    let mut body = json!({
        "functionName": function.name,
        "functionVersion": function.version,
        "handler": function.handler_name(),
    });
    let features = request.header("lambda-extension-accept-feature").unwrap_or_default();
    if features.split(',').any(|feature| feature.trim() == "accountId") {
        body["accountId"] = json!(function.account.as_str());
    }
    let body = body.to_string();
    Ok(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
         Lambda-Extension-Identifier: {id}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes())
}

fn next(request: &Request, desk: &Desk, stream: &Arc<TcpStream>, owed: &mut Vec<u8>) -> Reply {
    let id = match identifier(request) {
        Ok(id) => id,
        Err(refused) => return Reply::Now(refusal(&refused)),
    };
    let parked = Parked { stream: stream.clone(), owed: std::mem::take(owed) };
    match desk.park_extension(id, parked) {
        Ok(Asked::Waits) => Reply::WhenInvoked,
        Ok(Asked::Answered(event, parked)) => {
            *owed = parked.owed;
            Reply::Now(event)
        }
        Err((refused, parked)) => {
            *owed = parked.owed;
            Reply::Now(refusal(&refused))
        }
    }
}

fn fail(request: &Request, desk: &Desk, failing: Failing) -> Result<Vec<u8>, Refused> {
    let id = identifier(request)?;
    let error_type = request.header("lambda-extension-function-error-type");
    let error_type = error_type.filter(|it| !it.is_empty()).ok_or(Refused::NoErrorType)?;
    desk.fail_extension(id, failing, error_type)?;
    Ok(api::accepted())
}

fn subscribe(
    source: Source,
    request: &Request,
    desk: &Desk,
    log: &Log,
) -> Result<Vec<u8>, Refused> {
    let name = desk.extension_name(identifier(request)?)?;
    let subscription = match Subscription::read(source, whole(request)?) {
        Ok(subscription) => subscription,
        Err(text) => {
            let error_type = match source {
                Source::Telemetry => "ValidationError",
                Source::Logs => "Logs.ValidationError",
            };
            let body = json!({ "errorType": error_type, "errorMessage": text }).to_string();
            return Ok(api::message("400 Bad Request", "application/json", &body));
        }
    };
    let types = subscription.types.clone();
    if log.telemetry.subscribe(&name, subscription)? {
        log.tell(&Event::Subscription { source, name: &name, types: &types });
    }
    Ok(api::message("200 OK", "application/json", "\"OK\""))
}

/// Who asks.
fn identifier(request: &Request) -> Result<&str, Refused> {
    let id = request.header(IDENTIFIER).filter(|id| !id.is_empty()).ok_or(Refused::NoIdentifier)?;
    let is_uuid = id.len() == 36
        && id.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    if is_uuid { Ok(id) } else { Err(Refused::InvalidIdentifier) }
}

fn whole(request: &Request) -> Result<&[u8], Refused> {
    match &request.body {
        Body::Whole(body) => Ok(body),
        Body::TooLarge | Body::Streaming => Err(Refused::Format("body too long".to_owned())),
    }
}

fn refusal(refused: &Refused) -> Vec<u8> {
    let body = json!({ "errorMessage": refused.message(), "errorType": refused.error_type() });
    api::message("403 Forbidden", "application/json", &format!("{body}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        desk::{Answer, Takes},
        extensions::roster::Event as Told,
    };
    use std::time::Duration;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    /// A program's end of a served connection.
    struct Program(TcpStream);

    impl Program {
        async fn connect(desk: &Arc<Desk>) -> Program {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (served, _) = listener.accept().await.unwrap();
            tokio::spawn(api::serve(served, desk.clone(), Arc::new(Log::for_tests())));
            Program(stream)
        }

        async fn send(&mut self, request: &str, headers: &str, body: &str) {
            let length = body.len();
            let head = format!("{request} HTTP/1.1\r\n{headers}Content-Length: {length}\r\n\r\n");
            self.0.write_all((head + body).as_bytes()).await.unwrap();
        }

        async fn receive(&mut self) -> String {
            let mut bytes = vec![0; 4096];
            let read = self.0.read(&mut bytes).await.unwrap();
            String::from_utf8_lossy(&bytes[..read]).into_owned()
        }

        async fn register(&mut self, events: &str) -> String {
            let body = format!("{{\"events\":[{events}]}}");
            let path = "POST /2020-01-01/extension/register";
            self.send(path, "lambda-extension-name: tool\r\n", &body).await;
            let answer = self.receive().await;
            let id = answer.split("Lambda-Extension-Identifier: ").nth(1).expect(&answer);
            assert!(answer.contains(r#""functionName":"f""#), "{answer}");
            format!("Lambda-Extension-Identifier: {}\r\n", &id[..36])
        }

        async fn next(&mut self, id: &str) {
            self.send("GET /2020-01-01/extension/event/next", id, "").await;
        }
    }

    /// An instance with an extension and a runtime, both waiting for their first event.
    async fn ready(events: &str) -> (Arc<Desk>, Program, String, Program) {
        let desk = Arc::new(Desk::default());
        desk.start_extension("tool");
        let mut tool = Program::connect(&desk).await;
        let id = tool.register(events).await;
        let mut runtime = Program::connect(&desk).await;
        runtime.send("GET /2018-06-01/runtime/invocation/next", "", "").await;
        desk.runtime_began().await;
        let waiting = tokio::time::timeout(Duration::ZERO, desk.init()).await;
        assert!(waiting.is_err(), "the extension has not asked for an event");
        tool.next(&id).await;
        assert!(matches!(desk.init().await, crate::desk::Init::Ready));
        (desk, tool, id, runtime)
    }

    #[tokio::test]
    async fn an_instance_is_free_when_its_extensions_have_asked_for_their_next_event() {
        let (desk, mut tool, id, mut runtime) = ready("\"INVOKE\"").await;
        assert_eq!(desk.settled_now(), Some(true));
        desk.tell(Told::Invoke, "{\"eventType\":\"INVOKE\"}").await;
        let answer = desk.hand("r", Takes::Whole, b"HTTP/1.1 200 OK\r\n\r\n", b"").await;
        let event = tool.receive().await;
        assert!(event.contains("Lambda-Extension-Event-Identifier: "), "{event}");
        assert!(event.ends_with("{\"eventType\":\"INVOKE\"}"), "{event}");
        runtime.receive().await;
        runtime.send("POST /2018-06-01/runtime/invocation/r/response", "", "7").await;
        assert!(matches!(answer.await.unwrap(), Answer::Response(body) if body == "7"));
        runtime.receive().await;
        runtime.send("GET /2018-06-01/runtime/invocation/next", "", "").await;
        desk.runtime_done().await;
        assert_eq!(desk.settled_now(), None, "the extension is at work");
        tool.next(&id).await;
        assert!(desk.settled().await);
    }

    #[tokio::test]
    async fn who_is_at_work_when_the_instance_ends_is_told_when_it_asks() {
        let (desk, mut tool, id, _runtime) = ready("\"INVOKE\",\"SHUTDOWN\"").await;
        desk.tell(Told::Invoke, "{}").await;
        tool.receive().await;
        desk.begin_end();
        desk.tell(Told::Shutdown, "{\"eventType\":\"SHUTDOWN\"}").await;
        tool.next(&id).await;
        assert!(tool.receive().await.ends_with("{\"eventType\":\"SHUTDOWN\"}"));
    }

    #[tokio::test]
    async fn an_extension_that_ends_is_the_answer_to_an_invocation() {
        let (desk, _tool, _, _runtime) = ready("\"INVOKE\"").await;
        let answer = desk.hand("r", Takes::Whole, b"", b"").await;
        let exit = crate::sandbox::Exit { code: Some(2), signal: None, oom_killed: false };
        desk.extension_ended(&exit);
        let Answer::Crashed(crash) = answer.await.unwrap() else { panic!("no crash") };
        assert_eq!((crash.error_type, &*crash.reason), ("Extension.Crash", "exit status 2"));
        assert_eq!(desk.settled_now(), Some(false));
    }
}
