//! Pages of queue URLs. A token is the name of the last queue on the page before, opaque to clients.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use kit::Caller;

use crate::{error::Error, limits, open::OpenQueue};

/// One page of URLs and the token of the next.
pub(crate) struct Page {
    pub(crate) urls: Vec<String>,
    pub(crate) next: Option<String>,
}

/// The name behind which a page begins.
pub(crate) fn after(token: Option<&str>) -> Result<String, Error> {
    let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(String::new()) };
    let name = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
    name.and_then(|name| String::from_utf8(name).ok())
        .ok_or_else(|| Error::InvalidParameterValue("Invalid or expired next token.".to_owned()))
}

/// The first page of queues; there is a token only if the client named a number.
pub(crate) fn page(
    caller: &Caller,
    queues: Vec<Arc<OpenQueue>>,
    max_results: Option<i32>,
) -> Result<Page, Error> {
    let max = match max_results.map(i64::from) {
        None | Some(0) => *limits::PAGE.end(),
        Some(max) if limits::PAGE.contains(&max) => max,
        Some(_) => {
            return Err(Error::InvalidParameterValue(
                "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000.".to_owned(),
            ));
        }
    };
    let shown = &queues[..queues.len().min(max as usize)];
    let more = shown.len() < queues.len() && max_results.is_some_and(|max| max > 0);
    let last = shown.last().filter(|_| more);
    Ok(Page {
        urls: shown.iter().map(|queue| queue.place.url(caller)).collect(),
        next: last.map(|queue| BASE64_URL_SAFE_NO_PAD.encode(queue.place.name.as_bytes())),
    })
}
