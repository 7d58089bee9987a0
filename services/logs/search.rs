//! Finding events in the order of time. Blocks while it reads.
//!
//! A stream lies in the log in spans, each of which knows its earliest and latest time. The spans
//! of all streams asked for are read by their earliest time, and the first events are kept. When
//! the next span begins behind the last event kept, the page is done: nothing that is still unread
//! belongs on it. Backward it is the same with time turned round.
//!
//! Always true: a page has no gaps. If a search stops early, it answers only with what is before
//! all it has not read, and says where to go on.

use std::{collections::BTreeMap, ops::Range};

use kit::Millis;
use store::{Direction, Entry, ReadError, SegmentLog, Span};

use crate::{event::EventId, limits, pattern::Pattern};

/// What to look for.
#[derive(Debug)]
pub(crate) struct Search {
    /// Streams by their numbers.
    pub(crate) streams: Vec<u64>,
    pub(crate) times: Range<Millis>,
    /// Go on behind this event (before it, if backward).
    pub(crate) after: Option<EventId>,
    pub(crate) direction: Direction,
    pub(crate) limit: usize,
    pub(crate) pattern: Option<Pattern>,
}

/// A page of events.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// In the search's direction.
    pub(crate) events: Vec<Event>,
    /// Where to go on; `None` if there is nothing more.
    pub(crate) next: Option<EventId>,
}

/// An event as found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: EventId,
    /// Its place in the search's list of streams.
    pub(crate) stream: usize,
    /// When it was taken in.
    pub(crate) taken: Millis,
    pub(crate) message: String,
}

/// An id as a search meets it: lesser ranks come first, whatever the direction.
type Rank = (u64, u64);

impl Search {
    /// Looks through the log.
    pub(crate) fn run(&self, log: &SegmentLog) -> Result<Found, ReadError> {
        let times = self.times_left();
        let after = self.after.map(|id| self.rank(id));
        let mut page = Page { limit: self.limit, ..Page::default() };
        let mut read_bytes = 0;
        for (stream, span) in self.spans(log, &times) {
            let start = self.start(&span);
            if page.ends_before(start) {
                break;
            }
            let passes_cursor = start > after.map_or(0, |rank| rank.0);
            if read_bytes >= limits::SEARCH_BYTES && passes_cursor {
                let (events, _) = page.before(start);
                return Ok(Found { events, next: Some(self.id((start - 1, u64::MAX))) });
            }
            read_bytes += span.read_bytes();
            for entry in log.read_span(&span, times.clone())? {
                let rank = self.rank(EventId::new(entry.at, entry.position));
                if after.is_none_or(|after| rank > after) {
                    self.offer(&mut page, rank, stream, entry);
                }
            }
        }
        let (events, last) = page.before(u64::MAX);
        Ok(Found { events, next: last.map(|rank| self.id(rank)) })
    }

    fn offer(&self, page: &mut Page, rank: Rank, stream: usize, entry: Entry) {
        if page.is_beyond(rank) {
            return;
        }
        // What was appended was text.
        let Ok(message) = String::from_utf8(entry.bytes.into()) else { return };
        if self.pattern.as_ref().is_none_or(|pattern| pattern.matches(&message)) {
            let id = self.id(rank);
            page.add(rank, Event { id, stream, taken: entry.taken, message });
        }
    }

    /// The spans to read, in the order to read them, each with its stream's place.
    fn spans(&self, log: &SegmentLog, times: &Range<Millis>) -> Vec<(usize, Span)> {
        let streams = self.streams.iter().enumerate();
        let mut spans: Vec<(usize, Span)> = streams
            .flat_map(|(place, stream)| {
                log.spans(*stream, times.clone()).into_iter().map(move |span| (place, span))
            })
            .collect();
        spans.sort_by_key(|(_, span)| self.start(span));
        spans
    }

    /// The part of the time range that the cursor leaves.
    fn times_left(&self) -> Range<Millis> {
        let Range { start, end } = self.times;
        match (self.after, self.direction) {
            (None, _) => start..end,
            (Some(after), Direction::Forward) => start.max(after.at)..end,
            (Some(after), Direction::Backward) => start..end.min(after.at.plus(1)),
        }
    }

    /// The least time of a span, as ranks count it.
    fn start(&self, span: &Span) -> u64 {
        match self.direction {
            Direction::Forward => span.earliest().0,
            Direction::Backward => !span.latest().0,
        }
    }

    fn rank(&self, id: EventId) -> Rank {
        match self.direction {
            Direction::Forward => (id.at.0, id.position),
            Direction::Backward => (!id.at.0, !id.position),
        }
    }

    fn id(&self, rank: Rank) -> EventId {
        let (at, position) = match self.direction {
            Direction::Forward => rank,
            Direction::Backward => (!rank.0, !rank.1),
        };
        EventId { at: Millis(at), position }
    }
}

/// The first events met so far.
#[derive(Default)]
struct Page {
    events: BTreeMap<Rank, Event>,
    bytes: usize,
    limit: usize,
    /// The least rank that did not fit: nothing from here on is on the page.
    end: Option<Rank>,
}

impl Page {
    fn is_beyond(&self, rank: Rank) -> bool {
        self.end.is_some_and(|end| rank >= end)
    }

    /// Whether all from this time on is beyond.
    fn ends_before(&self, start: u64) -> bool {
        self.is_beyond((start, 0))
    }

    fn add(&mut self, rank: Rank, event: Event) {
        self.bytes += size(&event);
        self.events.insert(rank, event);
        while self.events.len() > self.limit
            || (self.bytes > limits::PAGE_BYTES && self.events.len() > 1)
        {
            let Some((rank, event)) = self.events.pop_last() else { return };
            self.bytes -= size(&event);
            self.end = Some(rank);
        }
    }

    /// The events before a time, and the last one's rank if others did not fit.
    fn before(mut self, start: u64) -> (Vec<Event>, Option<Rank>) {
        self.events.split_off(&(start, 0));
        let last = self.events.keys().next_back().copied().filter(|_| self.end.is_some());
        (self.events.into_values().collect(), last)
    }
}

fn size(event: &Event) -> usize {
    event.message.len() + limits::EVENT_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use store::{Durability, Record, SegmentConfig};

    use super::*;

    /// Appends batches of (stream, times) to a log of small segments, and answers with all ids.
    async fn fill(log: &SegmentLog, batches: &[(u64, Vec<u64>)]) -> Vec<EventId> {
        let mut ids = Vec::new();
        for (stream, times) in batches {
            let record = |at: &u64| Record { at: Millis(*at), bytes: vec![b'x'; 200].into() };
            let records = times.iter().map(record).collect();
            let positions =
                log.append(*stream, Millis(1), records, Durability::Lazy).await.unwrap();
            let at = times.iter().map(|at| Millis(*at));
            ids.extend(at.zip(positions).map(|(at, position)| EventId::new(at, position)));
        }
        ids
    }

    /// Follows the pages of a search to its end.
    fn all_pages(log: &SegmentLog, direction: Direction, limit: usize) -> Vec<EventId> {
        let mut ids = Vec::new();
        let mut after = None;
        loop {
            let search = Search {
                streams: vec![1, 2, 3],
                times: Millis(10)..Millis(90),
                after,
                direction,
                limit,
                pattern: None,
            };
            let found = search.run(log).unwrap();
            assert!(found.events.len() <= limit);
            ids.extend(found.events.iter().map(|event| event.id));
            after = found.next;
            if after.is_none() {
                return ids;
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn pages_hold_every_event_once_and_in_order(
            batches in prop::collection::vec(
                (1..4_u64, prop::collection::vec(0..100_u64, 1..8)),
                1..40,
            ),
            limit in 1..12_usize,
        ) {
            let folder = tempfile::TempDir::new().unwrap();
            let config = SegmentConfig { segment_bytes: 2048 };
            let log = SegmentLog::open(folder.path(), config).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let mut ids = runtime.block_on(fill(&log, &batches));
            ids.retain(|id| (10..90).contains(&id.at.0));
            ids.sort();
            prop_assert_eq!(&all_pages(&log, Direction::Forward, limit), &ids);
            ids.reverse();
            prop_assert_eq!(&all_pages(&log, Direction::Backward, limit), &ids);
        }
    }
}
