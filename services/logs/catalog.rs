//! Groups and streams as the service holds them in memory. No input or output.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};

use kit::{AccountId, Caller, Millis, Region, Tags};
use model::logs::LogGroupClass;
use serde::{Deserialize, Serialize};
use wire::Enumeration;

use crate::{Error, limits};

/// An account and region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
}

/// All groups.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    places: BTreeMap<Place, BTreeMap<String, Group>>,
    /// The greatest id that a stream ever had; ids do not come back.
    pub(crate) last_stream: u64,
}

/// A log group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) settings: Settings,
    pub(crate) streams: BTreeMap<String, Stream>,
}

/// What a group is, beside its streams.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) created: Millis,
    #[serde(with = "class_name")]
    pub(crate) class: LogGroupClass,
    /// `None`: events never expire.
    pub(crate) retention_days: Option<u32>,
    /// Must not be deleted.
    pub(crate) protected: bool,
    pub(crate) tags: Tags,
}

/// A log stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stream {
    /// Its number in the log of events.
    pub(crate) id: u64,
    pub(crate) created: Millis,
}

/// What the log of events must keep.
pub(crate) struct Retention {
    /// By stream.
    keep_from: HashMap<u64, Millis>,
    /// Streams behind it came later than this was made.
    last_stream: u64,
}

impl Place {
    pub(crate) fn of(caller: &Caller) -> Place {
        Place { account: caller.account, region: caller.region.clone() }
    }
}

impl Catalog {
    pub(crate) fn groups(&self, place: &Place) -> impl Iterator<Item = (&String, &Group)> {
        self.places.get(place).into_iter().flatten()
    }

    pub(crate) fn group(&self, place: &Place, name: &str) -> Result<&Group, Error> {
        self.places.get(place).and_then(|groups| groups.get(name)).ok_or(Error::GroupNotFound)
    }

    pub(crate) fn group_mut(&mut self, place: &Place, name: &str) -> Option<&mut Group> {
        self.places.get_mut(place)?.get_mut(name)
    }

    /// Whether a further group of this name may be made.
    pub(crate) fn admits(&self, place: &Place, name: &str) -> Result<(), Error> {
        let Some(groups) = self.places.get(place) else { return Ok(()) };
        if groups.contains_key(name) {
            return Err(Error::GroupExists);
        }
        if groups.len() >= limits::GROUPS {
            return Err(Error::TooManyGroups);
        }
        Ok(())
    }

    pub(crate) fn add_group(&mut self, place: Place, name: String, settings: Settings) {
        let group = Group { settings, streams: BTreeMap::new() };
        self.places.entry(place).or_default().insert(name, group);
    }

    pub(crate) fn remove_group(&mut self, place: &Place, name: &str) {
        self.places.get_mut(place).and_then(|groups| groups.remove(name));
    }

    /// Adds a stream; its group is there unless the rows are older than a crash.
    pub(crate) fn add_stream(&mut self, place: &Place, group: &str, name: String, stream: Stream) {
        self.last_stream = self.last_stream.max(stream.id);
        if let Some(group) = self.group_mut(place, group) {
            group.streams.insert(name, stream);
        }
    }

    /// What the log of events must keep at this moment.
    pub(crate) fn retention(&self, now: Millis) -> Retention {
        let groups = self.places.values().flat_map(BTreeMap::values);
        let keep_from = groups.flat_map(|group| {
            let from = group.settings.visible_from(now);
            group.streams.values().map(move |stream| (stream.id, from))
        });
        Retention { keep_from: keep_from.collect(), last_stream: self.last_stream }
    }
}

impl Retention {
    /// The earliest time to keep of a stream; `None` if the stream is gone.
    pub(crate) fn keep_from(&self, stream: u64) -> Option<Millis> {
        if stream > self.last_stream {
            return Some(Millis(0));
        }
        self.keep_from.get(&stream).copied()
    }
}

impl Group {
    pub(crate) fn stream(&self, name: &str) -> Result<Stream, Error> {
        self.streams.get(name).copied().ok_or(Error::StreamNotFound)
    }
}

impl Settings {
    /// A group that is made by its first use.
    pub(crate) fn plain(now: Millis) -> Settings {
        Settings {
            created: now,
            class: LogGroupClass::Standard,
            retention_days: None,
            protected: false,
            tags: Tags::new(),
        }
    }

    /// Events before this time have expired.
    pub(crate) fn visible_from(&self, now: Millis) -> Millis {
        let days = u64::from(self.retention_days.unwrap_or(u32::MAX));
        Millis(now.0.saturating_sub(days * limits::DAY_MILLIS))
    }

    /// The part of a time range that has not expired.
    pub(crate) fn visible(&self, times: Range<Millis>, now: Millis) -> Range<Millis> {
        times.start.max(self.visible_from(now))..times.end
    }
}

mod class_name {
    //! A class in rows is its name: models gain classes in any place of their list.

    use serde::{Deserializer, Serializer};

    use super::{Deserialize, Enumeration, LogGroupClass};

    pub(super) fn serialize<S: Serializer>(
        class: &LogGroupClass,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(class.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<LogGroupClass, D::Error> {
        let name = String::deserialize(deserializer)?;
        LogGroupClass::from_name(&name)
            .ok_or_else(|| serde::de::Error::custom(format!("no class is called {name}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_forgets_gone_streams_and_keeps_those_that_came_later() {
        let place = Place { account: AccountId::DEFAULT, region: Region::default() };
        let mut catalog = Catalog::default();
        let day = Settings { retention_days: Some(1), ..Settings::plain(Millis(0)) };
        catalog.add_group(place.clone(), "day".to_owned(), day);
        catalog.add_group(place.clone(), "ever".to_owned(), Settings::plain(Millis(0)));
        let stream = |id| Stream { id, created: Millis(0) };
        catalog.add_stream(&place, "day", "a".to_owned(), stream(1));
        catalog.add_stream(&place, "ever", "a".to_owned(), stream(2));
        catalog.add_stream(&place, "ever", "b".to_owned(), stream(3));
        if let Some(group) = catalog.group_mut(&place, "ever") {
            group.streams.remove("b");
        }
        let retention = catalog.retention(Millis(limits::DAY_MILLIS + 5));
        assert_eq!(retention.keep_from(1), Some(Millis(5)));
        assert_eq!(retention.keep_from(2), Some(Millis(0)));
        assert_eq!(retention.keep_from(3), None);
        assert_eq!(retention.keep_from(4), Some(Millis(0)));
    }
}
