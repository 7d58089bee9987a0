//! What a request to subscribe asks for: destination, kinds, schema, buffering. Limits and defaults of
//! the "Lambda Telemetry API reference" and of "Lambda Logs API". Pure.

use std::time::Duration;

use serde_json::Value;

use super::{Item, Source};

/// The host by which extensions name their own instance.
const HOSTS: [&str; 2] = ["sandbox.localdomain", "sandbox"];
/// The Runtime API's own.
const RESERVED_PORT: u16 = 9001;
const MAX_PATH_BYTES: usize = 1024;

/// A subscription as it was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) source: Source,
    /// Of the Logs API: whether it knows of `platform.runtimeDone`.
    knows_runtime_done: bool,
    pub(crate) types: Vec<&'static str>,
    pub(crate) destination: Destination,
    pub(crate) buffering: Buffering,
}

/// Where to, inside the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Arrays of events.
    Http { method: &'static str, port: u16, path: String },
    /// Events line by line.
    Tcp { port: u16 },
}

/// When a batch is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Buffering {
    pub(crate) max_items: usize,
    pub(crate) max_bytes: usize,
    pub(crate) timeout: Duration,
}

impl Subscription {
    /// Reads a request's body. The error is its `errorMessage`: all that is wrong with it.
    pub(crate) fn read(source: Source, body: &[u8]) -> Result<Subscription, String> {
        let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let mut wrong = Wrong::default();
        let schema = schema(source, &body["schemaVersion"], &mut wrong);
        let destination = destination(&body["destination"], &mut wrong);
        let types = types(&body["types"], &mut wrong);
        let buffering = buffering(&body["buffering"], &mut wrong);
        match (destination, wrong.0.is_empty()) {
            (Some(destination), true) => Ok(Subscription {
                source,
                knows_runtime_done: schema == "2021-03-18",
                types,
                destination,
                buffering,
            }),
            _ => Err(wrong.0.join("; ")),
        }
    }

    /// Whether an event is for this subscriber.
    pub(crate) fn wants(&self, item: &Item) -> bool {
        if !self.types.contains(&item.category) {
            return false;
        }
        match (self.source, item.kind) {
            (
                Source::Telemetry,
                "platform.end" | "platform.fault" | "platform.logsSubscription",
            ) => false,
            (Source::Logs, "platform.runtimeDone") => self.knows_runtime_done,
            (Source::Logs, kind) => {
                !kind.starts_with("platform.init") && kind != "platform.telemetrySubscription"
            }
            (Source::Telemetry, _) => true,
        }
    }
}

impl Destination {
    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        match self {
            Destination::Http { port, .. } | Destination::Tcp { port } => *port,
        }
    }
}

/// What is wrong with a request.
#[derive(Default)]
struct Wrong(Vec<String>);

impl Wrong {
    fn say(&mut self, text: impl Into<String>) {
        self.0.push(text.into());
    }
}

fn schema(source: Source, given: &Value, wrong: &mut Wrong) -> &'static str {
    let known: &[&'static str] = match source {
        Source::Telemetry => &["2022-07-01", "2022-12-13", "2025-01-29"],
        Source::Logs => &["2020-08-15", "2021-03-18"],
    };
    if source == Source::Logs && given.is_null() {
        return known[0];
    }
    match known.iter().find(|it| given.as_str() == Some(it)) {
        Some(schema) => schema,
        None => {
            wrong.say(format!("schemaVersion should be one of [{}]", known.join(", ")));
            known[0]
        }
    }
}

fn destination(given: &Value, wrong: &mut Wrong) -> Option<Destination> {
    let destination = match given["protocol"].as_str() {
        Some("HTTP") => http(given, wrong)?,
        Some("TCP") => {
            let port = given["port"].as_u64().and_then(|port| u16::try_from(port).ok());
            match port.filter(|port| *port > 0) {
                Some(port) => Destination::Tcp { port },
                None => {
                    wrong.say("port should be from 1 to 65535");
                    return None;
                }
            }
        }
        _ => {
            wrong.say("destination.protocol should be one of [HTTP, TCP]");
            return None;
        }
    };
    if destination.port() == RESERVED_PORT {
        wrong.say("port 9001 is reserved");
        return None;
    }
    Some(destination)
}

fn http(given: &Value, wrong: &mut Wrong) -> Option<Destination> {
    let method = match given["method"].as_str() {
        None | Some("POST") => "POST",
        Some("PUT") => "PUT",
        Some(_) => {
            wrong.say("destination.method should be one of [POST, PUT]");
            return None;
        }
    };
    let uri = given["URI"].as_str().unwrap_or_default();
    let Some(rest) = uri.strip_prefix("http://") else {
        wrong.say("URI should begin with http://");
        return None;
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    if !HOSTS.contains(&host) {
        wrong.say("URI host should be sandbox.localdomain");
        return None;
    }
    let Some(port) = port.parse().ok().filter(|port| *port > 0_u16) else {
        wrong.say("URI port is not provided");
        return None;
    };
    // It becomes part of a request's head.
    if path.len() > MAX_PATH_BYTES || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        wrong.say("URI path is not valid");
        return None;
    }
    Some(Destination::Http { method, port, path: path.to_owned() })
}

fn types(given: &Value, wrong: &mut Wrong) -> Vec<&'static str> {
    const KNOWN: [&str; 3] = ["platform", "function", "extension"];
    let given = given.as_array().map(Vec::as_slice).unwrap_or_default();
    if given.is_empty() {
        wrong.say("types should not be empty");
    }
    let mut types = Vec::new();
    for name in given {
        match KNOWN.iter().find(|known| name.as_str() == Some(known)) {
            Some(known) if !types.contains(known) => types.push(*known),
            Some(_) => {}
            None => wrong.say(format!("types should be of [{}]", KNOWN.join(", "))),
        }
    }
    types
}

fn buffering(given: &Value, wrong: &mut Wrong) -> Buffering {
    let mut number = |name: &str, default: u64, from: u64, to: u64| {
        let value = match &given[name] {
            Value::Null => return default,
            value => value.as_u64().unwrap_or(0),
        };
        if !(from..=to).contains(&value) {
            wrong.say(format!("{name} should be from {from} to {to}"));
        }
        value
    };
    Buffering {
        max_items: number("maxItems", 10_000, 1000, 10_000) as usize,
        max_bytes: number("maxBytes", 262_144, 262_144, 1_048_576) as usize,
        timeout: Duration::from_millis(number("timeoutMs", 1000, 25, 30_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::Millis;

    fn read(source: Source, body: &str) -> Result<Subscription, String> {
        Subscription::read(source, body.as_bytes())
    }

    fn http(uri: &str) -> Result<Subscription, String> {
        let body = format!(
            r#"{{"schemaVersion":"2022-12-13","types":["platform"],
                "destination":{{"protocol":"HTTP","URI":"{uri}"}}}}"#
        );
        read(Source::Telemetry, &body)
    }

    #[test]
    fn a_subscription_has_lambdas_defaults() {
        let subscription = http("http://sandbox.localdomain:8080/logs").unwrap();
        let destination = Destination::Http { method: "POST", port: 8080, path: "/logs".into() };
        assert_eq!(subscription.destination, destination);
        let timeout = Duration::from_secs(1);
        let buffering = Buffering { max_items: 10_000, max_bytes: 262_144, timeout };
        assert_eq!(subscription.buffering, buffering);
        let body = r#"{"types":["function"],"destination":{"protocol":"TCP","port":4243},
                       "buffering":{"maxItems":1000,"timeoutMs":25}}"#;
        let subscription = read(Source::Logs, body).unwrap();
        assert_eq!(subscription.destination, Destination::Tcp { port: 4243 });
        assert_eq!(subscription.buffering.max_items, 1000);
    }

    #[test]
    fn only_the_instance_itself_is_a_destination() {
        for (uri, text) in [
            ("http://169.254.169.254:80/", "URI host should be sandbox.localdomain"),
            ("http://localhost:8080", "URI host should be sandbox.localdomain"),
            ("http://sandbox.localdomain.evil:80", "URI host should be sandbox.localdomain"),
            ("http://a@sandbox.localdomain:80", "URI host should be sandbox.localdomain"),
            ("https://sandbox.localdomain:80", "URI should begin with http://"),
            ("http://sandbox.localdomain", "URI port is not provided"),
            ("http://sandbox.localdomain:0", "URI port is not provided"),
            ("http://sandbox.localdomain:9001", "port 9001 is reserved"),
            ("http://sandbox.localdomain:80/a b", "URI path is not valid"),
            ("http://sandbox.localdomain:80/\\r\\nX: y", "URI path is not valid"),
        ] {
            assert_eq!(http(uri).unwrap_err(), text, "{uri}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let body = r#"{"schemaVersion":"2022-07-01","types":[],
            "destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain"}}"#;
        assert_eq!(
            read(Source::Telemetry, body).unwrap_err(),
            "URI port is not provided; types should not be empty"
        );
        let body = r#"{"schemaVersion":"2020-01-01","types":["all"],
            "destination":{"protocol":"UDP"},
            "buffering":{"maxItems":1,"maxBytes":1,"timeoutMs":1}}"#;
        let text = read(Source::Telemetry, body).unwrap_err();
        for part in ["schemaVersion", "protocol", "types", "maxItems", "maxBytes", "timeoutMs"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(read(Source::Logs, "[").is_err());
    }

    #[test]
    fn each_api_has_its_own_events() {
        let wants = |source, schema: &str, kind| {
            let body = format!(
                r#"{{"schemaVersion":"{schema}","types":["platform"],
                     "destination":{{"protocol":"TCP","port":1}}}}"#
            );
            let item = Item::new("platform", kind, Millis(0), &Value::Null);
            read(source, &body).unwrap().wants(&item)
        };
        assert!(wants(Source::Telemetry, "2022-07-01", "platform.runtimeDone"));
        assert!(!wants(Source::Telemetry, "2022-07-01", "platform.end"));
        assert!(wants(Source::Logs, "2020-08-15", "platform.end"));
        assert!(!wants(Source::Logs, "2020-08-15", "platform.runtimeDone"));
        assert!(wants(Source::Logs, "2021-03-18", "platform.runtimeDone"));
        assert!(!wants(Source::Logs, "2021-03-18", "platform.initStart"));
    }
}
