//! `Invoke` and `InvokeAsync`: runs a function now, later, or not at all.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use bus::Delivery;
use bytes::Bytes;
use kit::Caller;
use model::lambda as api;
use serde::de::IgnoredAny;
use store::Batch;

use crate::{
    Error, Lambda,
    functions::Runnable,
    invoke::run::Request,
    limits::{
        ASYNC_PAYLOAD_BYTES, CLIENT_CONTEXT_BYTES, INVOKE_ASYNC_PAYLOAD_BYTES, SYNC_PAYLOAD_BYTES,
    },
    target::{CLIENT_CONTEXT, TENANT},
};

pub(crate) async fn run(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::InvokeInput,
) -> Result<api::InvokeOutput, Error> {
    let runnable =
        lambda.functions.named(&caller, &input.function_name, input.qualifier.as_deref())?;
    runnable.check_tenant(input.tenant_id.as_deref())?;
    let payload = input.payload.unwrap_or_default();
    let kind = input.invocation_type.unwrap_or(api::InvocationType::RequestResponse);
    let (name, limit) = match kind {
        api::InvocationType::Event => ("Event", ASYNC_PAYLOAD_BYTES),
        _ => ("RequestResponse", SYNC_PAYLOAD_BYTES),
    };
    check_size(&payload, name, limit)?;
    let payload = document(payload)?;
    let client_context = input.client_context.as_deref().map(decode_context).transpose()?;
    match kind {
        api::InvocationType::DryRun => {
            Ok(api::InvokeOutput { status_code: Some(204), ..api::InvokeOutput::default() })
        }
        api::InvocationType::Event => {
            let attributes = [(CLIENT_CONTEXT, client_context), (TENANT, input.tenant_id)];
            enqueue(&lambda, &caller, &runnable, payload, attributes).await?;
            Ok(api::InvokeOutput { status_code: Some(202), ..api::InvokeOutput::default() })
        }
        api::InvocationType::RequestResponse => {
            lambda.concurrency.admit(&runnable, caller.now).map_err(|throttled| {
                lambda.usage.throttled(&runnable, caller.now);
                Error::Throttled(throttled)
            })?;
            let id = caller.request_id.clone();
            let (trace, tenant) = (caller.trace, input.tenant_id);
            let request = Request { id, payload, client_context, trace, tenant };
            let mut outcome = lambda.run(&runnable, request, caller.now).await?;
            let tail = input.log_type == Some(api::LogType::Tail);
            if tail {
                // Its last line comes when extensions are done too.
                outcome.complete().await;
            }
            Ok(api::InvokeOutput {
                status_code: Some(200),
                function_error: outcome.error.map(|_| "Unhandled".to_owned()),
                log_result: tail.then(|| STANDARD.encode(&outcome.log_tail)),
                payload: Some(outcome.payload),
                executed_version: Some(runnable.function.version.clone()),
                ..api::InvokeOutput::default()
            })
        }
    }
}

/// The deprecated asynchronous form.
pub(crate) async fn run_async(
    lambda: Arc<Lambda>,
    caller: Caller,
    input: api::InvokeAsyncInput,
) -> Result<api::InvokeAsyncOutput, Error> {
    let runnable = lambda.functions.named(&caller, &input.function_name, None)?;
    runnable.check_tenant(None)?;
    check_size(&input.invoke_args, "Event", INVOKE_ASYNC_PAYLOAD_BYTES)?;
    let payload = document(input.invoke_args)?;
    enqueue(&lambda, &caller, &runnable, payload, []).await?;
    Ok(api::InvokeAsyncOutput { status: Some(202) })
}

/// Makes the event durable; the bus brings it to the function. Attributes without a value stay away.
async fn enqueue<const N: usize>(
    lambda: &Lambda,
    caller: &Caller,
    runnable: &Runnable,
    payload: Bytes,
    attributes: [(&str, Option<String>); N],
) -> Result<(), Error> {
    let target = runnable.invoked_arn.parse().map_err(|_| Error::Service("ARN".to_owned()))?;
    let payload = String::from_utf8(payload.into())
        .map_err(|_| Error::InvalidRequestContent(not_json("Invalid UTF-8")))?;
    let source = runnable.function_arn.clone();
    // What becomes of it is its owner's business, whoever asked.
    let owner = Caller { account: runnable.function.account, ..caller.clone() };
    let mut delivery = Delivery::new(target, "lambda.amazonaws.com", source, &owner, payload);
    delivery.id.clone_from(&caller.request_id);
    let given = attributes.into_iter();
    delivery.attributes.extend(given.filter_map(|(name, value)| Some((name.to_owned(), value?))));
    let mut batch = Batch::new();
    let ticket = lambda.bus.enqueue(&mut batch, vec![delivery]);
    lambda.store.commit(batch).await?;
    ticket.release();
    Ok(())
}

pub(super) fn check_size(payload: &Bytes, kind: &'static str, limit: usize) -> Result<(), Error> {
    if payload.len() > limit {
        return Err(Error::PayloadTooLarge { bytes: payload.len(), kind, limit });
    }
    Ok(())
}

/// The payload, proved to be JSON; nothing stands for an empty object.
pub(super) fn document(payload: Bytes) -> Result<Bytes, Error> {
    if payload.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    // Values are stepped over without recursion, however deep they are nested.
    match serde_json::from_slice::<IgnoredAny>(&payload) {
        Ok(_) => Ok(payload),
        Err(error) => Err(Error::InvalidRequestContent(not_json(&error.to_string()))),
    }
}

fn not_json(reason: &str) -> String {
    format!("Could not parse request body into json: Could not parse payload into json: {reason}")
}

pub(super) fn decode_context(text: &str) -> Result<String, Error> {
    let bytes = STANDARD.decode(text).ok().filter(|bytes| bytes.len() <= CLIENT_CONTEXT_BYTES);
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| {
        Error::InvalidRequestContent(
            "Client context must be a valid Base64-encoded JSON object.".to_owned(),
        )
    })
}
