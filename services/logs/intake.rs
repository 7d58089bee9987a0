//! Which events of a batch are taken. Pure.

use std::ops::Range;

use kit::Millis;
use model::logs::{InputLogEvent, RejectedLogEventsInfo};

use crate::{error::Invalid, limits};

/// What becomes of a batch.
#[derive(Debug, PartialEq)]
pub(crate) struct Intake {
    /// The events to keep.
    pub(crate) taken: Range<usize>,
    /// What to say about the others, if there are any.
    pub(crate) rejected: Option<RejectedLogEventsInfo>,
}

/// Judges a batch that came at `now` for a group whose events are visible from `visible_from`.
pub(crate) fn judge(
    events: &[InputLogEvent],
    now: Millis,
    visible_from: Millis,
) -> Result<Intake, Invalid> {
    check_size(events)?;
    if !events.is_sorted_by_key(|event| event.timestamp) {
        return Err(Invalid::NotChronological);
    }
    let before =
        |moment: u64| events.partition_point(|event| (event.timestamp.max(0) as u64) < moment);
    let too_old = before(now.0.saturating_sub(limits::OLDEST_MILLIS));
    let expired = before(visible_from.0);
    let too_new = before(now.0 + limits::NEWEST_MILLIS + 1);
    let start = too_old.max(expired).min(too_new);
    let valid = &events[start..too_new];
    if let [first, .., last] = valid
        && last.timestamp.abs_diff(first.timestamp) > limits::BATCH_SPAN_MILLIS
    {
        return Err(Invalid::BatchTooLong);
    }
    Ok(Intake {
        taken: start..too_new,
        rejected: rejected(too_old, expired, too_new, events.len()),
    })
}

fn check_size(events: &[InputLogEvent]) -> Result<(), Invalid> {
    let mut batch = 0;
    for event in events {
        let bytes = event.message.len() + limits::EVENT_OVERHEAD_BYTES;
        if bytes > limits::EVENT_BYTES {
            return Err(Invalid::EventTooLarge { bytes });
        }
        batch += bytes;
    }
    if batch > limits::BATCH_BYTES {
        return Err(Invalid::BatchTooLarge { bytes: batch });
    }
    Ok(())
}

fn rejected(
    too_old: usize,
    expired: usize,
    too_new: usize,
    count: usize,
) -> Option<RejectedLogEventsInfo> {
    // Batches have at most 10,000 events.
    let index = |index: usize, is_set: bool| is_set.then_some(index as i32);
    let info = RejectedLogEventsInfo {
        too_old_log_event_end_index: index(too_old, too_old > 0),
        expired_log_event_end_index: index(expired, expired > 0),
        too_new_log_event_start_index: index(too_new, too_new < count),
    };
    (info != RejectedLogEventsInfo::default()).then_some(info)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_700_000_000_000);
    const HOUR: i64 = 3_600_000;
    const DAY: i64 = 24 * HOUR;

    fn events(offsets: &[i64]) -> Vec<InputLogEvent> {
        let event = |offset: &i64| InputLogEvent {
            timestamp: NOW.0 as i64 + offset,
            message: "text".to_owned(),
        };
        offsets.iter().map(event).collect()
    }

    fn judged(offsets: &[i64]) -> Result<Intake, String> {
        let week_ago = Millis(NOW.0 - 7 * DAY as u64);
        judge(&events(offsets), NOW, week_ago).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_too_old_expired_or_too_new_is_left_out() {
        assert_eq!(judged(&[-1, 0, 0]), Ok(Intake { taken: 0..3, rejected: None }));
        let mixed = [-15 * DAY, -8 * DAY, -DAY, 0, 2 * HOUR, 2 * HOUR + 1];
        let info = RejectedLogEventsInfo {
            too_old_log_event_end_index: Some(1),
            expired_log_event_end_index: Some(2),
            too_new_log_event_start_index: Some(5),
        };
        // From a day ago to two hours ahead is more than a day.
        assert!(judged(&mixed).is_err());
        let mixed = [-15 * DAY, -8 * DAY, -HOUR, 0, 2 * HOUR, 2 * HOUR + 1];
        assert_eq!(judged(&mixed), Ok(Intake { taken: 2..5, rejected: Some(info) }));
        assert_eq!(judged(&[-15 * DAY, 3 * HOUR]).map(|intake| intake.taken), Ok(1..1));
    }

    #[test]
    fn batches_are_bounded_and_in_order() {
        assert_eq!(
            judged(&[0, -1]).unwrap_err(),
            "Log events in a single PutLogEvents request must be in chronological order."
        );
        assert_eq!(
            judged(&[-DAY, 1]).unwrap_err(),
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
        );
        let sized = |bytes: usize, count| {
            let message = "x".repeat(bytes - limits::EVENT_OVERHEAD_BYTES);
            let event = InputLogEvent { timestamp: NOW.0 as i64, message };
            let judged = judge(&vec![event; count], NOW, Millis(0));
            judged.map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(sized(limits::EVENT_BYTES, 1), Ok(()));
        assert_eq!(
            sized(limits::EVENT_BYTES + 1, 1).unwrap_err(),
            "Log event too large: 1048577 bytes exceeds limit of 1048576"
        );
        assert_eq!(
            sized(limits::BATCH_BYTES / 2 + 1, 2).unwrap_err(),
            "Upload too large: 1048578 bytes exceeds limit of 1048576"
        );
    }
}
