//! `InvokeWithResponseStream`: runs a function and hands its response on as it comes.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use kit::Caller;
use model::lambda as api;
use runtime::{Outcome, Streamed};
use tokio::sync::mpsc;

use crate::{
    Error, Lambda,
    invoke::run::Request,
    limits::SYNC_PAYLOAD_BYTES,
    ops::invoke::{check_size, decode_context, document},
};

type Event = api::InvokeWithResponseStreamResponseEvent;

/// Events that wait for the client, besides the chunks that wait in the pool.
const EVENTS: usize = 1;

pub(crate) async fn run(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::InvokeWithResponseStreamInput,
) -> Result<(api::InvokeWithResponseStreamOutput, mpsc::Receiver<Event>), Error> {
    let runnable =
        lambda.functions.named(&caller, &input.function_name, input.qualifier.as_deref())?;
    runnable.check_tenant(input.tenant_id.as_deref())?;
    let payload = input.payload.unwrap_or_default();
    check_size(&payload, "RequestResponse", SYNC_PAYLOAD_BYTES)?;
    let payload = document(payload)?;
    let client_context = input.client_context.as_deref().map(decode_context).transpose()?;
    let (sender, events) = mpsc::channel(EVENTS);
    let mut output = api::InvokeWithResponseStreamOutput {
        executed_version: Some(runnable.function.version.clone()),
        ..api::InvokeWithResponseStreamOutput::default()
    };
    if input.invocation_type == Some(api::ResponseStreamingInvocationType::DryRun) {
        output.status_code = Some(204);
        return Ok((output, events));
    }
    lambda.concurrency.admit(&runnable, caller.now).map_err(Error::Throttled)?;
    let (id, trace, tenant) = (caller.request_id, caller.trace, input.tenant_id);
    let request = Request { id, payload, client_context, trace, tenant };
    let streamed = lambda.run_streaming(&runnable, request, caller.now).await?;
    output.status_code = Some(200);
    let content_type = streamed.content_type.clone();
    output.response_stream_content_type =
        Some(content_type.unwrap_or_else(|| "application/json".to_owned()));
    let tail = input.log_type == Some(api::LogType::Tail);
    // Ends with the invocation or with the client, whichever is first.
    tokio::spawn(hand_on(streamed, sender, tail));
    Ok((output, events))
}

/// Makes events of a response. A client that hangs up ends this, not the function.
async fn hand_on(mut streamed: Streamed, events: mpsc::Sender<Event>, tail: bool) {
    let mut begun = false;
    while let Some(payload) = streamed.chunks.recv().await {
        begun = true;
        if events.send(chunk(payload)).await.is_err() {
            return;
        }
    }
    // Otherwise the server is stopping.
    let Ok(mut outcome) = streamed.outcome.await else { return };
    if tail {
        // Its last line comes when extensions are done too.
        outcome.complete().await;
    }
    let complete = complete(&outcome, tail);
    // An error before the first byte is the response, as it is to `Invoke`.
    if !begun && outcome.error.is_some() {
        let _ = events.send(chunk(outcome.payload)).await;
    }
    let _ = events.send(Event::InvokeComplete(complete)).await;
}

fn chunk(payload: Bytes) -> Event {
    Event::PayloadChunk(api::InvokeResponseStreamUpdate { payload: Some(payload) })
}

fn complete(outcome: &Outcome, tail: bool) -> api::InvokeWithResponseStreamCompleteEvent {
    let error = outcome.error.map(|_| {
        let code = outcome.error_type.clone().unwrap_or_else(|| "Unhandled".to_owned());
        (code, String::from_utf8_lossy(&outcome.payload).into_owned())
    });
    let (error_code, error_details) = error.unzip();
    let log_result = tail.then(|| STANDARD.encode(&outcome.log_tail));
    api::InvokeWithResponseStreamCompleteEvent { error_code, error_details, log_result }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::{FunctionError, Report};
    use tokio::sync::oneshot;

    /// The events of a response of these chunks that came to this.
    async fn events(chunks: &[&'static str], outcome: Outcome, tail: bool) -> Vec<Event> {
        let (sender, receiver) = mpsc::channel(chunks.len() + 1);
        for chunk in chunks {
            sender.send((*chunk).into()).await.unwrap();
        }
        let (ended, outcome_receiver) = oneshot::channel();
        ended.send(outcome).unwrap();
        drop(sender);
        let streamed = Streamed { content_type: None, chunks: receiver, outcome: outcome_receiver };
        let (sender, mut events) = mpsc::channel(chunks.len() + 2);
        hand_on(streamed, sender, tail).await;
        let mut all = Vec::new();
        while let Some(event) = events.recv().await {
            all.push(event);
        }
        all
    }

    fn outcome(error_type: Option<&str>) -> Outcome {
        Outcome {
            payload: if error_type.is_some() { "{}".into() } else { Bytes::new() },
            error: error_type.map(|_| FunctionError::Handled),
            error_type: error_type.map(str::to_owned),
            log_tail: "END".into(),
            log_stream: String::new(),
            report: Report::default(),
            ending: None,
        }
    }

    fn complete(error_code: Option<&str>, log_result: Option<&str>) -> Event {
        Event::InvokeComplete(api::InvokeWithResponseStreamCompleteEvent {
            error_code: error_code.map(str::to_owned),
            error_details: error_code.map(|_| "{}".to_owned()),
            log_result: log_result.map(str::to_owned),
        })
    }

    #[tokio::test]
    async fn chunks_come_before_what_completes_them() {
        let chunks = |chunks: &[&'static str]| -> Vec<Event> {
            chunks.iter().map(|payload| chunk((*payload).into())).collect()
        };
        let found = events(&["a", "b"], outcome(None), true).await;
        assert_eq!(found, [chunks(&["a", "b"]), vec![complete(None, Some("RU5E"))]].concat());
        let found = events(&["a"], outcome(Some("E")), false).await;
        assert_eq!(found, [chunks(&["a"]), vec![complete(Some("E"), None)]].concat());
        let found = events(&[], outcome(Some("E")), false).await;
        assert_eq!(found, [chunks(&["{}"]), vec![complete(Some("E"), None)]].concat());
        assert_eq!(events(&[], outcome(None), false).await, [complete(None, None)]);
    }
}
