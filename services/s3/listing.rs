//! Listings straight from the order of the rows. What a delimiter folds together is skipped by
//! seeking behind it, however many keys it holds.

use std::{collections::VecDeque, future::Future};

use kit::{AccountId, Millis};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, de::DeserializeOwned};
use store::{Key, Store};

use crate::{Error, checksum::Checksum, limits, rows};

/// Rows read at first and behind every seek; then twice as many each time.
const FIRST_ROWS: usize = 16;

/// What listings show of a version: a part of [`Object`](crate::object::Object)'s row, read without
/// its bytes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Listed {
    pub(crate) version: Option<String>,
    pub(crate) sequence: u64,
    pub(crate) delete_marker: bool,
    pub(crate) modified: Millis,
    pub(crate) size: u64,
    pub(crate) etag: String,
    pub(crate) storage_class: Option<String>,
    pub(crate) checksum: Option<Checksum>,
    pub(crate) owner: Option<AccountId>,
    /// Set while listing versions.
    #[serde(skip)]
    pub(crate) is_latest: bool,
}

/// What is asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pub(crate) prefix: String,
    /// Not empty.
    pub(crate) delimiter: Option<String>,
    pub(crate) max: usize,
}

/// What is answered.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<(String, T)>,
    pub(crate) prefixes: Vec<String>,
    pub(crate) truncated: bool,
    /// The key or prefix that came last.
    pub(crate) last: String,
}

impl Query {
    /// Out of a request's parameters; `most` is what S3 answers at most.
    pub(crate) fn new(
        prefix: Option<String>,
        delimiter: Option<String>,
        max: Option<i32>,
        name: &str,
    ) -> Result<Query, Error> {
        let max = max.unwrap_or(limits::PAGE_ENTRIES as i32);
        let max = usize::try_from(max).map_err(|_| {
            let message = format!("Argument {name} must be an integer between 0 and 2147483647");
            Error::argument(&message, name, max)
        })?;
        Ok(Query {
            prefix: prefix.unwrap_or_default(),
            delimiter: delimiter.filter(|delimiter| !delimiter.is_empty()),
            max: max.min(limits::PAGE_ENTRIES),
        })
    }

    /// The prefix that a key is folded into.
    fn fold(&self, key: &str) -> Option<String> {
        let delimiter = self.delimiter.as_deref()?;
        let rest = key.strip_prefix(self.prefix.as_str())?;
        let at = rest.find(delimiter)?;
        Some(key[..self.prefix.len() + at + delimiter.len()].to_owned())
    }

    /// Where a listing goes on behind `marker`: behind the whole prefix if it is folded into one.
    pub(crate) fn behind(&self, base: &Key, marker: &str) -> Key {
        match self.fold(marker) {
            Some(common) => base.clone().starting(&common).end(),
            None => base.clone().text(marker),
        }
    }
}

/// Entries in order that can be skipped.
pub(crate) trait Walk {
    /// What an entry has beside its key.
    type Item: Send;

    /// The next entry's key, without taking it.
    fn peek(&mut self) -> impl Future<Output = Result<Option<String>, Error>> + Send;

    /// Takes the entry that was looked at.
    fn take(&mut self) -> Option<Self::Item>;

    /// Passes over all keys that start with `common`.
    fn skip(&mut self, common: &str);
}

/// One page of a walk.
pub(crate) async fn page<W: Walk + Send>(
    query: &Query,
    walk: &mut W,
) -> Result<Page<W::Item>, Error> {
    let (items, prefixes) = (Vec::new(), Vec::new());
    let mut page = Page { items, prefixes, truncated: false, last: String::new() };
    if query.max == 0 {
        return Ok(page);
    }
    while let Some(key) = walk.peek().await? {
        if page.items.len() + page.prefixes.len() == query.max {
            page.truncated = true;
            return Ok(page);
        }
        if let Some(common) = query.fold(&key) {
            walk.skip(&common);
            page.last.clone_from(&common);
            page.prefixes.push(common);
            continue;
        }
        if let Some(item) = walk.take() {
            page.last.clone_from(&key);
            page.items.push((key, item));
        }
    }
    Ok(page)
}

/// The rows of one table under a prefix.
pub(crate) struct Cursor<T> {
    store: Store,
    /// Table and bucket: what stands in front of the object's key.
    base: Key,
    /// `base` and the listing's prefix.
    within: Key,
    after: Option<Key>,
    ahead: VecDeque<(Key, String, T)>,
    batch: usize,
    at_end: bool,
}

impl<T: DeserializeOwned> Cursor<T> {
    /// The rows behind `after`, if there is one.
    pub(crate) fn new(store: &Store, base: Key, prefix: &str, after: Option<Key>) -> Cursor<T> {
        let within = base.clone().starting(prefix);
        let at_end = after.as_ref().is_some_and(|after| *after >= within.clone().end());
        let after = after.filter(|after| *after > within);
        let (ahead, batch) = (VecDeque::new(), FIRST_ROWS);
        Cursor { store: store.clone(), base, within, after, ahead, batch, at_end }
    }

    async fn fill(&mut self) -> Result<(), Error> {
        while self.ahead.is_empty() && !self.at_end {
            let rows = self.store.rows(&self.within, self.after.as_ref(), self.batch).await?;
            self.at_end = rows.len() < self.batch;
            self.batch = (self.batch * 2).min(limits::LIST_ROWS);
            for row in rows {
                let Some(key) = row.key.text_after(&self.base) else { continue };
                let item = row.decode()?;
                self.after = Some(row.key.clone());
                self.ahead.push_back((row.key, key, item));
            }
        }
        Ok(())
    }
}

impl<T: DeserializeOwned + Send> Walk for Cursor<T> {
    type Item = T;

    async fn peek(&mut self) -> Result<Option<String>, Error> {
        self.fill().await?;
        Ok(self.ahead.front().map(|(_, key, _)| key.clone()))
    }

    fn take(&mut self) -> Option<T> {
        self.ahead.pop_front().map(|(_, _, item)| item)
    }

    fn skip(&mut self, common: &str) {
        let behind = self.base.clone().starting(common).end();
        self.ahead.retain(|(row, _, _)| *row > behind);
        if !self.ahead.is_empty() {
            return;
        }
        // The rows read so far may end inside of what is skipped.
        if !self.at_end {
            self.at_end = behind >= self.within.clone().end();
            self.after = self.after.take().max(Some(behind));
            self.batch = FIRST_ROWS;
        }
    }
}

/// All versions and delete markers, the newest of a key first.
pub(crate) struct Versions {
    latest: Cursor<Listed>,
    older: Cursor<Listed>,
    /// The key of the entry before.
    key: Option<String>,
    from_latest: bool,
}

impl Versions {
    /// Behind a key, or behind one version of a key.
    pub(crate) fn new(
        store: &Store,
        bucket: &str,
        query: &Query,
        marker: Option<(&str, Option<u64>)>,
    ) -> Versions {
        let (objects, versions) = (rows::objects(bucket), rows::versions(bucket));
        let (mut latest_after, mut older_after, mut key) = (None, None, None);
        if let Some((marker, sequence)) = marker {
            latest_after = Some(query.behind(&objects, marker));
            older_after = Some(match sequence {
                Some(sequence) => rows::version(bucket, marker, sequence),
                None => match query.fold(marker) {
                    Some(_) => query.behind(&versions, marker),
                    None => rows::versions_of(bucket, marker).end(),
                },
            });
            key = sequence.map(|_| marker.to_owned());
        }
        Versions {
            latest: Cursor::new(store, objects, &query.prefix, latest_after),
            older: Cursor::new(store, versions, &query.prefix, older_after),
            key,
            from_latest: false,
        }
    }
}

impl Walk for Versions {
    type Item = Listed;

    async fn peek(&mut self) -> Result<Option<String>, Error> {
        let (latest, older) = (self.latest.peek().await?, self.older.peek().await?);
        self.from_latest = match (&latest, &older) {
            (Some(latest), Some(older)) => latest <= older,
            (latest, _) => latest.is_some(),
        };
        Ok(if self.from_latest { latest } else { older })
    }

    fn take(&mut self) -> Option<Listed> {
        let from = if self.from_latest { &mut self.latest } else { &mut self.older };
        let key = from.ahead.front().map(|(_, key, _)| key.clone());
        let mut item = from.take()?;
        // Without a row in the first table a delete marker is the latest.
        item.is_latest = self.key != key;
        self.key = key;
        Some(item)
    }

    fn skip(&mut self, common: &str) {
        self.latest.skip(common);
        self.older.skip(common);
    }
}

/// Whether keys are to be URL-encoded (`encoding-type=url`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyEncoding {
    Plain,
    Url,
}

/// What S3 leaves as it is in encoded keys.
const URL: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'*').remove(b'_').remove(b'/');

impl KeyEncoding {
    /// Out of a request's parameter.
    pub(crate) fn parse(encoding: Option<&str>) -> Result<KeyEncoding, Error> {
        match encoding {
            None | Some("") => Ok(KeyEncoding::Plain),
            Some("url") => Ok(KeyEncoding::Url),
            Some(other) => Err(Error::argument(
                "Invalid Encoding Method specified in Request",
                "encoding-type",
                other,
            )),
        }
    }

    /// A key as the answer writes it.
    pub(crate) fn write(self, key: &str) -> String {
        match self {
            KeyEncoding::Plain => key.to_owned(),
            KeyEncoding::Url => utf8_percent_encode(key, URL).to_string().replace("%20", "+"),
        }
    }
}
