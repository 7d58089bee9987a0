//! A function on the `lambda_runtime` crate that does what its event says.

use std::{env, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use lambda_runtime::{Error, FunctionResponse, LambdaEvent, StreamResponse, run, service_fn};
use serde_json::{Value, json};

type Pieces = stream::Iter<std::vec::IntoIter<Result<Bytes, Error>>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if env::var("INIT").is_ok_and(|it| it == "panic") {
        panic!("no start");
    }
    run(service_fn(handle)).await
}

async fn handle(given: LambdaEvent<Value>) -> Result<FunctionResponse<Value, Pieces>, Error> {
    let text = given.payload["text"].as_str().unwrap_or_default().to_owned();
    let answer = match given.payload["do"].as_str().unwrap_or_default() {
        "echo" => json!(text),
        "fail" => return Err("so it is".into()),
        "panic" => panic!("so it is"),
        "exit" => std::process::exit(3),
        "sleep" => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Value::Null
        }
        "context" => surroundings(&given),
        "stream" => return Ok(FunctionResponse::StreamingResponse(pieces(&text))),
        _ => Value::Null,
    };
    Ok(FunctionResponse::BufferedResponse(answer))
}

fn surroundings(given: &LambdaEvent<Value>) -> Value {
    let context = &given.context;
    let client = context.client_context.as_ref();
    json!({
        "request": context.request_id,
        "arn": context.invoked_function_arn,
        "title": client.map(|it| &it.client.app_title),
        "custom": client.map(|it| &it.custom),
        "deadline": context.deadline,
        "function": context.env_config.function_name,
        "memory": context.env_config.memory,
        "trace": context.xray_trace_id,
    })
}

/// Each word is a piece; at "break" the stream fails.
fn pieces(text: &str) -> StreamResponse<Pieces> {
    let piece = |word: &str| match word {
        "break" => Err(Error::from("it broke")),
        word => Ok(Bytes::from(word.to_owned())),
    };
    let pieces: Vec<_> = text.split(' ').map(piece).collect();
    StreamResponse { metadata_prelude: Default::default(), stream: stream::iter(pieces) }
}
