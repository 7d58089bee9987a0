//! Lists in pages: `MaxItems` at a time, continued behind a `Marker` that holds the last key.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{Error, limits};

/// One page of a list.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// `NextMarker`, set when there is more.
    pub(crate) next: Option<String>,
}

/// Takes a page out of a list whose keys rise.
pub(crate) fn page<T, K: Ord + AsRef<str>>(
    list: impl Iterator<Item = (K, T)>,
    marker: Option<&str>,
    max_items: Option<i32>,
) -> Result<Page<T>, Error> {
    let after = marker.filter(|marker| !marker.is_empty()).map(position).transpose()?;
    let size = max_items.and_then(|max| usize::try_from(max).ok()).unwrap_or(limits::PAGE);
    let behind = |key: &K| after.as_deref().is_none_or(|after| key.as_ref() > after);
    let mut rest = list.filter(|(key, _)| behind(key));
    let page: Vec<_> = rest.by_ref().take(size.clamp(1, limits::PAGE)).collect();
    let more = rest.next().is_some();
    let next = page.last().filter(|_| more).map(|(key, _)| URL_SAFE_NO_PAD.encode(key.as_ref()));
    Ok(Page { items: page.into_iter().map(|(_, item)| item).collect(), next })
}

fn position(marker: &str) -> Result<String, Error> {
    let bytes = URL_SAFE_NO_PAD.decode(marker).ok();
    let key = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    key.ok_or_else(|| Error::InvalidParameter("Invalid marker.".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_gap_or_repeat() {
        let keys: Vec<String> = (0..120).map(|number| format!("{number:03}")).collect();
        let list = || keys.iter().map(|key| (key, key));
        let (mut seen, mut marker) = (Vec::new(), None);
        loop {
            let page = page(list(), marker.as_deref(), Some(1000)).unwrap();
            assert!(page.items.len() <= limits::PAGE);
            seen.extend(page.items.into_iter().cloned());
            marker = page.next;
            if marker.is_none() {
                break;
            }
        }
        assert_eq!(seen, keys);
        assert!(page(list(), Some("?"), None).is_err());
    }
}
