//! Pages of names: where one goes on is said by its last key, encoded.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

use crate::{error::Invalid, limits};

/// The key that a token names; `None` without a token.
pub(crate) fn parse<K: DeserializeOwned>(token: Option<&str>) -> Result<Option<K>, Invalid> {
    let Some(token) = token else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| Invalid::Token)?;
    serde_json::from_slice(&bytes).map(Some).map_err(|_| Invalid::Token)
}

/// Cuts a page off the front of `items`, and makes the token of the next one if there is one.
pub(crate) fn cut<T, K: Serialize>(
    items: impl IntoIterator<Item = T>,
    limit: Option<i32>,
    key: impl Fn(&T) -> K,
) -> (Vec<T>, Option<String>) {
    let limit = limit.map_or(limits::PAGE_NAMES, |limit| limit.max(1) as usize);
    let mut page: Vec<T> = items.into_iter().take(limit + 1).collect();
    let has_more = page.len() > limit;
    page.truncate(limit);
    let last = page.last().filter(|_| has_more).map(key);
    let token = last.and_then(|key| serde_json::to_vec(&key).ok());
    (page, token.map(|bytes| URL_SAFE_NO_PAD.encode(bytes)))
}
