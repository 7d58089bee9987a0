//! What waits for one subscriber. Pure.

use kit::Millis;

use super::{Item, subscription::Buffering};

/// Events on their way to a subscriber, in a bounded room.
#[derive(Debug)]
pub(super) struct Buffer {
    limits: Buffering,
    items: Vec<Item>,
    bytes: usize,
    /// When the oldest has waited long enough.
    due: Option<Millis>,
    dropped_items: u64,
    dropped_bytes: u64,
}

impl Buffer {
    pub(super) fn new(limits: Buffering) -> Buffer {
        let (items, due) = (Vec::new(), None);
        Buffer { limits, items, bytes: 0, due, dropped_items: 0, dropped_bytes: 0 }
    }

    /// Takes an event in, or drops and counts it if there is no room.
    pub(super) fn push(&mut self, item: &Item) {
        if self.is_full() {
            return self.drop_some(1, item.text.len());
        }
        self.bytes += item.text.len();
        self.items.push(item.clone());
    }

    /// Counts events that did not reach the subscriber.
    pub(super) fn drop_some(&mut self, items: usize, bytes: usize) {
        self.dropped_items += items as u64;
        self.dropped_bytes += bytes as u64;
    }

    /// Whether a batch need not wait any longer for its time.
    pub(super) fn is_full(&self) -> bool {
        self.items.len() >= self.limits.max_items || self.bytes >= self.limits.max_bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// When what is in here is to be sent, which the first look at it decides.
    pub(super) fn due(&mut self, now: Millis) -> Millis {
        let timeout = self.limits.timeout.as_millis() as u64;
        *self.due.get_or_insert(now.plus(timeout))
    }

    /// All that waits, with a word on what was dropped before it.
    pub(super) fn take(&mut self, now: Millis) -> Vec<Item> {
        let mut items = std::mem::take(&mut self.items);
        if self.dropped_items > 0 {
            items.push(Item::dropped(now, self.dropped_items, self.dropped_bytes));
        }
        (self.bytes, self.due, self.dropped_items, self.dropped_bytes) = (0, None, 0, 0);
        items
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::time::Duration;

    const LIMITS: Buffering =
        Buffering { max_items: 3, max_bytes: 1000, timeout: Duration::from_millis(25) };

    fn item(text: &str) -> Item {
        Item::new("function", "function", Millis(0), &Value::from(text))
    }

    #[test]
    fn what_waits_goes_together_when_its_time_has_come() {
        let mut buffer = Buffer::new(LIMITS);
        assert!(buffer.is_empty());
        buffer.push(&item("a"));
        assert_eq!(buffer.due(Millis(100)), Millis(125));
        assert_eq!(buffer.due(Millis(110)), Millis(125));
        buffer.push(&item("b"));
        let texts: Vec<_> = buffer.take(Millis(125)).iter().map(|it| it.text.clone()).collect();
        assert!(texts[0].contains("\"a\"") && texts[1].contains("\"b\""));
        assert_eq!(buffer.due(Millis(200)), Millis(225));
    }

    #[test]
    fn what_finds_no_room_is_counted_and_told() {
        let mut buffer = Buffer::new(LIMITS);
        (0..5).for_each(|_| buffer.push(&item("x")));
        assert!(buffer.is_full());
        let batch = buffer.take(Millis(0));
        assert_eq!(batch.len(), 4);
        let told: Value = serde_json::from_str(&batch[3].text).unwrap();
        assert_eq!(told["type"], "platform.logsDropped");
        assert_eq!(told["record"]["droppedRecords"], 2);
        assert!(buffer.is_empty());
    }

    #[test]
    fn one_great_line_is_taken_and_no_more() {
        let mut buffer = Buffer::new(LIMITS);
        buffer.push(&item(&"x".repeat(5000)));
        buffer.push(&item("y"));
        assert_eq!(buffer.take(Millis(0)).len(), 2, "the line, and a word on the other");
    }
}
