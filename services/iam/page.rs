//! Lists in pages: `MaxItems` at a time, continued behind a `Marker` that holds the last key.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{Error, limits};

/// Which page of a list is wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    marker: Option<String>,
    max_items: Option<i32>,
}

/// One page of a list.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// Set when there is more.
    pub(crate) marker: Option<String>,
}

impl Wanted {
    pub(crate) fn new(marker: Option<String>, max_items: Option<i32>) -> Wanted {
        Wanted { marker, max_items }
    }

    /// Takes the page out of a list whose keys rise.
    pub(crate) fn of<T>(&self, list: impl Iterator<Item = (String, T)>) -> Result<Page<T>, Error> {
        let after = self.marker.as_deref().map(position).transpose()?;
        let max = self.max_items.map_or(limits::PAGE, |max| usize::try_from(max).unwrap_or(1));
        let mut rest = list.skip_while(|(key, _)| after.as_ref().is_some_and(|it| key <= it));
        let page: Vec<_> = rest.by_ref().take(max.max(1)).collect();
        let more = rest.next().is_some();
        let marker = page.last().filter(|_| more).map(|(key, _)| URL_SAFE_NO_PAD.encode(key));
        Ok(Page { items: page.into_iter().map(|(_, item)| item).collect(), marker })
    }
}

/// The key in a marker.
fn position(marker: &str) -> Result<String, Error> {
    let bytes = URL_SAFE_NO_PAD.decode(marker).map_err(|_| Error::InvalidMarker)?;
    String::from_utf8(bytes).map_err(|_| Error::InvalidMarker)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(marker: Option<String>, max: i32, keys: &[&str]) -> Page<String> {
        let list = keys.iter().map(|key| (key.to_string(), key.to_string()));
        Wanted::new(marker, Some(max)).of(list).unwrap()
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_repeat() {
        let first = page(None, 2, &["a", "b", "c"]);
        assert_eq!(first.items, ["a", "b"]);
        let last = page(first.marker, 2, &["a", "b", "c"]);
        assert_eq!((last.items.as_slice(), last.marker), (["c".to_owned()].as_slice(), None));
    }

    #[test]
    fn a_page_goes_on_where_its_last_item_was_even_if_that_is_gone() {
        let first = page(None, 1, &["a", "b", "c"]);
        assert_eq!(page(first.marker, 5, &["b", "c"]).items, ["b", "c"]);
    }

    #[test]
    fn a_marker_of_somebody_else_is_refused() {
        let wanted = Wanted::new(Some("not a marker".to_owned()), None);
        assert!(matches!(wanted.of(std::iter::empty::<(String, ())>()), Err(Error::InvalidMarker)));
    }
}
