//! Operations on a real store in a temporary folder.

mod events;
mod groups;
mod search;

use std::sync::Arc;

use ::store::{DataFolder, Store};
use kit::{AccountId, Caller, Clock, Millis, Region};
use model::logs as api;
use tempfile::TempDir;
use wire::ServiceError;

use crate::{Error, Logs, ops};

/// A service that can be opened again on the same folder.
struct Server {
    folder: TempDir,
    clock: Clock,
    /// When it was first started.
    start: Millis,
    logs: Arc<Logs>,
}

impl Server {
    async fn start() -> Server {
        let folder = TempDir::new().unwrap();
        let clock = Clock::default();
        let logs = open(&folder, &clock).await;
        let start = clock.now();
        Server { folder, clock, start, logs }
    }

    async fn restart(self) -> Server {
        let Server { folder, clock, start, logs } = self;
        logs.shutdown().await;
        assert_eq!(Arc::strong_count(&logs), 1, "nobody else holds the service");
        drop(logs);
        let logs = open(&folder, &clock).await;
        Server { folder, clock, start, logs }
    }

    fn caller(&self) -> Caller {
        Caller::internal(AccountId::DEFAULT, Region::default(), self.clock.now())
    }

    async fn create_group(&self, name: &str) -> Result<wire::Unit, Error> {
        let input = api::CreateLogGroupInput {
            log_group_name: name.to_owned(),
            ..api::CreateLogGroupInput::default()
        };
        ops::groups::create(self.logs.clone(), self.caller(), input).await
    }

    async fn create_stream(&self, group: &str, name: &str) -> Result<wire::Unit, Error> {
        let input = api::CreateLogStreamInput {
            log_group_name: group.to_owned(),
            log_stream_name: name.to_owned(),
        };
        ops::streams::create(self.logs.clone(), self.caller(), input).await
    }

    /// Puts messages at milliseconds from the start.
    async fn put(
        &self,
        group: &str,
        stream: &str,
        events: &[(i64, &str)],
    ) -> Result<api::PutLogEventsOutput, Error> {
        let start = self.start.0 as i64;
        let event = |(offset, message): &(i64, &str)| api::InputLogEvent {
            timestamp: start + offset,
            message: (*message).to_owned(),
        };
        let input = api::PutLogEventsInput {
            log_group_name: group.to_owned(),
            log_stream_name: stream.to_owned(),
            log_events: events.iter().map(event).collect(),
            ..api::PutLogEventsInput::default()
        };
        ops::put_log_events::run(self.logs.clone(), self.caller(), input).await
    }

    async fn get(&self, input: api::GetLogEventsInput) -> Result<api::GetLogEventsOutput, Error> {
        ops::get_log_events::run(self.logs.clone(), self.caller(), input).await
    }

    async fn filter(
        &self,
        input: api::FilterLogEventsInput,
    ) -> Result<api::FilterLogEventsOutput, Error> {
        ops::filter_log_events::run(self.logs.clone(), self.caller(), input).await
    }
}

async fn open(folder: &TempDir, clock: &Clock) -> Arc<Logs> {
    let folder = DataFolder::open(folder.path()).unwrap();
    let rows = Store::open(&folder).unwrap();
    // The directory would hold the service for ever.
    let directory = bus::Directory::default();
    Logs::open(rows, &folder, &directory, clock.clone()).await.unwrap()
}

/// Code and text of an error.
fn fault<T: std::fmt::Debug>(result: Result<T, Error>) -> (String, String) {
    let fault = result.unwrap_err().fault();
    (fault.code.into_owned(), fault.message)
}

fn filter_input(group: &str) -> api::FilterLogEventsInput {
    api::FilterLogEventsInput {
        log_group_name: Some(group.to_owned()),
        ..api::FilterLogEventsInput::default()
    }
}

fn get_input(group: &str, stream: &str) -> api::GetLogEventsInput {
    api::GetLogEventsInput {
        log_group_name: Some(group.to_owned()),
        log_stream_name: stream.to_owned(),
        ..api::GetLogEventsInput::default()
    }
}

fn messages(output: &api::GetLogEventsOutput) -> Vec<&str> {
    output.events.iter().flatten().filter_map(|event| event.message.as_deref()).collect()
}

fn found(output: &api::FilterLogEventsOutput) -> Vec<&str> {
    output.events.iter().flatten().filter_map(|event| event.message.as_deref()).collect()
}

#[tokio::test]
async fn what_is_not_built_is_not_in_the_table() {
    let server = Server::start().await;
    let table = server.logs.table();
    let has = |name| table.has(table.service().operation(name).unwrap());
    assert!(has("PutLogEvents") && has("FilterLogEvents") && has("TestMetricFilter"));
    for name in ["PutMetricFilter", "PutSubscriptionFilter", "PutResourcePolicy", "StartQuery"] {
        assert!(!has(name), "{name}");
    }
}
