//! A stream, a mapping, and a function that writes down its events.

use std::{path::PathBuf, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use kit::Clock;
use serde_json::Value;

use super::{
    stream::{Bucket, Double, Letters, STREAM},
    *,
};
use crate::{
    ops::mapping::{create, get},
    sources::mapping::State,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// What every function of these tests does before its own part.
const PREFACE: &str = r#"
import base64, json, os, time

def data(event):
    return [base64.b64decode(it["kinesis"]["data"]).decode() for it in event["Records"]]

def handler(event, context):
    with open(os.environ["LOG"], "a") as log:
        log.write(json.dumps(event) + "\n")
    return run(event, data(event))
"#;

/// A world with a stream, and a function `f` that writes down its events.
pub(super) struct Chain {
    pub(super) world: World,
    pub(super) stream: Arc<Double>,
    pub(super) letters: Arc<Letters>,
    pub(super) bucket: Arc<Bucket>,
    pub(super) id: String,
    log: PathBuf,
}

impl Chain {
    /// `run` is the body of `def run(event, data):`.
    pub(super) async fn new(run: &str) -> Chain {
        let world = World::new().await;
        let log = world.folder.path().join("events");
        let stream = Double::new(&world.lambda.clock);
        let (letters, bucket) = (Arc::<Letters>::default(), Arc::<Bucket>::default());
        offer(&world, &stream, &letters, &bucket).await;
        let body = run.replace('\n', "\n    ");
        let source = format!("{PREFACE}\ndef run(event, data):\n    {body}\n");
        let variables = [("LOG".to_owned(), log.to_str().unwrap().to_owned())];
        let made = world.try_create(api::CreateFunctionInput {
            runtime: Some("python3.11".to_owned()),
            handler: Some("index.handler".to_owned()),
            timeout: Some(30),
            environment: Some(api::Environment { variables: Some(variables.into()) }),
            code: api::FunctionCode {
                zip_file: Some(package_of("index.py", &source)),
                ..api::FunctionCode::default()
            },
            ..function("f")
        });
        made.await.unwrap();
        Chain { world, stream, letters, bucket, id: String::new(), log }
    }

    pub(super) async fn map(
        &mut self,
        input: api::CreateEventSourceMappingInput,
    ) -> api::EventSourceMappingConfiguration {
        let made = self.try_map(input).await.unwrap();
        self.id = made.uuid.clone().unwrap();
        made
    }

    pub(super) async fn try_map(
        &self,
        input: api::CreateEventSourceMappingInput,
    ) -> Result<api::EventSourceMappingConfiguration, Error> {
        create::run(self.world.lambda.clone(), self.world.caller.clone(), input).await
    }

    pub(super) async fn get(&self) -> api::EventSourceMappingConfiguration {
        let input = api::GetEventSourceMappingInput { uuid: self.id.clone() };
        get::run(self.world.lambda.clone(), self.world.caller.clone(), input).await.unwrap()
    }

    pub(super) fn state(&self) -> Option<State> {
        self.world.lambda.sources.get(&self.id).map(|seen| seen.state)
    }

    /// The events so far.
    pub(super) fn events(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        // The last line may not be whole yet.
        text.split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The data of the events so far.
    pub(super) fn batches(&self) -> Vec<Vec<String>> {
        let data = |record: &Value| {
            let data = record["kinesis"]["data"].as_str().unwrap();
            String::from_utf8(BASE64_STANDARD.decode(data).unwrap()).unwrap()
        };
        let records =
            |event: &Value| event["Records"].as_array().unwrap().iter().map(data).collect();
        self.events().iter().map(records).collect()
    }

    /// Waits until the events are as wanted.
    pub(super) async fn until(&self, what: &str, wanted: impl Fn(&Chain) -> bool) {
        let clock = Clock::default();
        let deadline = clock.now().plus(PATIENCE.as_millis() as u64);
        while !wanted(self) {
            assert!(clock.now() < deadline, "{what}: {:?}", self.batches());
            clock.sleep(Duration::from_millis(5)).await;
        }
    }

    /// Where everything before is done.
    pub(super) async fn place(&self, shard: &str) -> Option<(String, bool)> {
        let rows = self.world.lambda.checkpoints(&self.id).await.unwrap();
        rows.get(shard).map(|row| (row.place.clone(), row.ended))
    }

    pub(super) async fn until_place(&self, shard: &str, wanted: (&str, bool)) {
        let clock = Clock::default();
        let deadline = clock.now().plus(PATIENCE.as_millis() as u64);
        let wanted = Some((wanted.0.to_owned(), wanted.1));
        while self.place(shard).await != wanted {
            assert!(clock.now() < deadline, "{:?} {:?}", self.place(shard).await, self.batches());
            clock.sleep(Duration::from_millis(5)).await;
        }
    }

    /// The server ends and starts again over the same data.
    pub(super) async fn restarted(self) -> Chain {
        self.end().await;
        let world = self.world.restarted().await;
        offer(&world, &self.stream, &self.letters, &self.bucket).await;
        world.lambda.start().await.unwrap();
        Chain { world, ..self }
    }

    pub(super) async fn end(&self) {
        self.world.lambda.shutdown().await;
        self.world.lambda.bus.shutdown().await;
        self.world.lambda.pool.shutdown().await;
    }
}

async fn offer(world: &World, stream: &Arc<Double>, letters: &Arc<Letters>, bucket: &Arc<Bucket>) {
    let directory = world.lambda.bus.directory();
    directory.offer_stream("kinesis", stream.clone());
    directory.offer_target("sqs", letters.clone());
    directory.offer_objects(bucket.clone());
    world.lambda.bus.start();
}

/// From the oldest record on.
pub(super) fn input() -> api::CreateEventSourceMappingInput {
    api::CreateEventSourceMappingInput {
        event_source_arn: Some(STREAM.to_owned()),
        function_name: "f".to_owned(),
        starting_position: Some(api::EventSourcePosition::TrimHorizon),
        ..api::CreateEventSourceMappingInput::default()
    }
}

/// With a queue to be told of what is given up.
pub(super) fn telling(queue: &str) -> Option<api::DestinationConfig> {
    let destination = Some(format!("arn:aws:sqs:us-east-1:000000000000:{queue}"));
    let on_failure = Some(api::OnFailure { destination });
    Some(api::DestinationConfig { on_success: None, on_failure })
}
