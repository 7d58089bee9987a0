//! How many instances of a function to keep, told by what was asked of it lately: pure rules, time
//! passed in.
//!
//! Two things are remembered: the most requests at once in each of the last minutes, and how long
//! nothing was asked between two requests (a histogram, as in "Serverless in the Wild", ATC 2020).
//! As many instances as were needed at once are kept for some minutes. The last one is kept for as
//! long as instances may idle, unless the histogram knows better: if requests come after short pauses
//! only it goes earlier, and if they come after long ones only it goes, and comes back before the next
//! request is to be expected.

use std::time::Duration;

use kit::Millis;

const MINUTE_MS: u64 = 60_000;
/// High-water marks of the present minute and so many before it count.
const MINUTES: usize = 5;
/// Nothing is given back before this long has passed without a request.
const SOON_MS: u64 = MINUTES as u64 * MINUTE_MS;
/// The histogram's range: pauses up to four hours, by the minute.
const RANGE_MINUTES: usize = 240;
/// A histogram of fewer pauses foretells nothing.
const ENOUGH: u32 = 6;
/// When it has seen so many, old ones lose half their weight.
const MANY: u32 = 1000;
/// Counts that vary less than this (standard deviation in means) have no pattern.
const PATTERN: f64 = 2.0;
/// So much earlier and later than what was seen is still to be expected.
const MARGIN: f64 = 0.1;

/// What was asked of one function.
#[derive(Clone, Debug, Default)]
pub(crate) struct Demand {
    /// The present minute.
    minute: u64,
    /// Most requests at once in that minute and those before it.
    marks: [u32; MINUTES + 1],
    /// When the last request ended; `None` while there is one, and before the first.
    quiet_since: Option<Millis>,
    pauses: Pauses,
}

impl Demand {
    /// A request has come; so many there are now.
    pub(crate) fn asked(&mut self, now: Millis, at_once: usize) {
        self.mark(now, at_once);
        if let Some(since) = self.quiet_since.take() {
            self.pauses.note(now.since(since));
        }
    }

    /// A request has ended; so many there were, with it.
    pub(crate) fn ended(&mut self, now: Millis, at_once: usize) {
        self.mark(now, at_once);
        if at_once <= 1 {
            self.quiet_since = Some(now);
        }
    }

    /// How many instances to keep of a function whose instances may idle for `limit`.
    pub(crate) fn keep(&self, now: Millis, limit: Duration) -> usize {
        let recent = self.recent(now);
        recent.max(usize::from(self.keeps_one(now, limit)))
    }

    /// Whether a request is to be expected after a pause so long that no instance was kept for it.
    pub(crate) fn is_due(&self, now: Millis) -> bool {
        let (Some(since), Some((from_ms, to_ms))) = (self.quiet_since, self.pauses.expected())
        else {
            return false;
        };
        from_ms >= SOON_MS && (from_ms..to_ms).contains(&now.since(since))
    }

    /// Whether nothing follows any more from what was asked, if nothing is being asked now.
    pub(crate) fn is_stale(&self, now: Millis) -> bool {
        let longest_ms = RANGE_MINUTES as f64 * MINUTE_MS as f64 * (1.0 + MARGIN);
        self.quiet_since.is_none_or(|since| now.since(since) > longest_ms as u64)
    }

    fn keeps_one(&self, now: Millis, limit: Duration) -> bool {
        let Some(since) = self.quiet_since else { return false };
        let (quiet_ms, limit_ms) = (now.since(since), limit.as_millis() as u64);
        match self.pauses.expected() {
            Some((from_ms, _)) if from_ms >= SOON_MS => self.is_due(now),
            Some((_, to_ms)) => quiet_ms < to_ms.max(SOON_MS).min(limit_ms),
            None => quiet_ms < limit_ms,
        }
    }

    fn recent(&self, now: Millis) -> usize {
        let passed = (now.0 / MINUTE_MS).saturating_sub(self.minute) as usize;
        let counting = self.marks.len().saturating_sub(passed);
        self.marks[..counting].iter().max().map_or(0, |most| *most as usize)
    }

    fn mark(&mut self, now: Millis, at_once: usize) {
        let minute = now.0 / MINUTE_MS;
        let passed = minute.saturating_sub(self.minute).min(self.marks.len() as u64) as usize;
        if passed > 0 {
            self.marks.rotate_right(passed % (MINUTES + 1));
            self.marks[..passed].fill(0);
            self.minute = minute;
        }
        self.marks[0] = self.marks[0].max(at_once as u32);
    }
}

/// How often pauses were how long.
#[derive(Clone, Debug, Default)]
struct Pauses {
    /// By whole minutes, as far as the longest so far.
    counts: Vec<u32>,
    /// Longer than the range.
    beyond: u32,
    total: u32,
}

impl Pauses {
    fn note(&mut self, pause_ms: u64) {
        if self.total >= MANY {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.beyond /= 2;
            self.total = self.counts.iter().sum::<u32>() + self.beyond;
        }
        self.total += 1;
        let minutes = (pause_ms / MINUTE_MS) as usize;
        if minutes >= RANGE_MINUTES {
            self.beyond += 1;
            return;
        }
        if self.counts.len() <= minutes {
            self.counts.resize(minutes + 1, 0);
        }
        self.counts[minutes] += 1;
    }

    /// After which pauses the next request is to be expected, in milliseconds: from what 5 % were
    /// shorter than to what 1 % were longer than, with a margin. `None` if there is no telling.
    fn expected(&self) -> Option<(u64, u64)> {
        if self.total < ENOUGH || self.variation() < PATTERN {
            return None;
        }
        let first = self.percentile(0.05)?;
        let last = self.percentile(0.99)?;
        let from_ms = (first as u64 * MINUTE_MS) as f64 * (1.0 - MARGIN);
        let to_ms = ((last + 1) as u64 * MINUTE_MS) as f64 * (1.0 + MARGIN);
        Some((from_ms as u64, to_ms as u64))
    }

    /// The minute below or in which this share of all pauses lie; `None` beyond the range.
    fn percentile(&self, share: f64) -> Option<usize> {
        let wanted = (f64::from(self.total) * share).ceil() as u32;
        let mut counted = 0;
        self.counts.iter().position(|count| {
            counted += count;
            counted >= wanted
        })
    }

    /// Standard deviation of the histogram's counts, in means.
    fn variation(&self) -> f64 {
        let mean = f64::from(self.total - self.beyond) / RANGE_MINUTES as f64;
        let squares: f64 = self.counts.iter().map(|count| f64::from(*count).powi(2)).sum();
        let variance = squares / RANGE_MINUTES as f64 - mean * mean;
        // No pause in the range: nothing varies.
        if mean == 0.0 { 0.0 } else { variance.max(0.0).sqrt() / mean }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(600);
    const START: Millis = Millis(1_800_000_000_000);

    fn minutes(count: u64) -> u64 {
        count * MINUTE_MS
    }

    /// One request at a time, after each of these pauses; answers when the last one ended.
    fn after(demand: &mut Demand, pauses_ms: &[u64]) -> Millis {
        let mut now = START;
        demand.asked(now, 1);
        demand.ended(now, 1);
        for pause_ms in pauses_ms {
            now = now.plus(*pause_ms);
            demand.asked(now, 1);
            demand.ended(now, 1);
        }
        now
    }

    #[test]
    fn what_was_needed_at_once_is_kept_for_some_minutes_and_one_for_longer() {
        let mut demand = Demand::default();
        (1..=9).for_each(|at_once| demand.asked(START, at_once));
        (1..=9).rev().for_each(|at_once| demand.ended(START, at_once));
        let keep = |ms| demand.keep(START.plus(ms), LIMIT);
        assert_eq!((keep(0), keep(minutes(4)), keep(minutes(5))), (9, 9, 9));
        assert_eq!((keep(minutes(6)), keep(minutes(10) - 1), keep(minutes(10))), (1, 1, 0));
    }

    #[test]
    fn marks_of_earlier_minutes_fade_one_by_one() {
        let mut demand = Demand::default();
        demand.asked(START, 8);
        demand.ended(START.plus(minutes(2)), 3);
        let keep = |at| demand.keep(START.plus(minutes(at)), LIMIT);
        assert_eq!((keep(2), keep(5), keep(6), keep(7), keep(8)), (8, 8, 3, 3, 0));
        let mut later = demand.clone();
        later.asked(START.plus(minutes(100)), 2);
        assert_eq!(later.keep(START.plus(minutes(100)), LIMIT), 2);
    }

    #[test]
    fn after_short_pauses_only_the_last_one_goes_earlier() {
        let mut demand = Demand::default();
        let now = after(&mut demand, &[2_000; 50]);
        let keep = |ms| demand.keep(now.plus(ms), LIMIT);
        assert_eq!((keep(minutes(4)), keep(minutes(6))), (1, 0));
        let mut demand = Demand::default();
        let now = after(&mut demand, &[minutes(7); 50]);
        assert!(demand.keep(now.plus(minutes(7)), LIMIT) == 1);
    }

    #[test]
    fn an_hourly_function_is_there_when_the_hour_is_over() {
        let mut demand = Demand::default();
        let now = after(&mut demand, &[minutes(60); 6]);
        let at = |minute| {
            let then = now.plus(minutes(minute));
            (demand.keep(then, LIMIT), demand.is_due(then))
        };
        assert_eq!((at(4), at(7), at(53)), ((1, false), (0, false), (0, false)));
        assert_eq!((at(54), at(67), at(68)), ((1, true), (1, true), (0, false)));
        assert!(!demand.is_stale(now.plus(minutes(260))));
        assert!(demand.is_stale(now.plus(minutes(265))));
    }

    #[test]
    fn without_a_pattern_the_limit_counts() {
        let few = [minutes(60); 5];
        let every: Vec<u64> = (0..240).map(minutes).collect();
        let beyond = [minutes(500); 20];
        for pauses in [&few[..], &every, &beyond] {
            let mut demand = Demand::default();
            let now = after(&mut demand, pauses);
            let keep = |ms| demand.keep(now.plus(ms), LIMIT);
            assert_eq!((keep(minutes(9)), keep(minutes(10))), (1, 0));
            assert!((0..300).all(|minute| !demand.is_due(now.plus(minutes(minute)))));
        }
    }

    #[test]
    fn old_pauses_lose_their_weight() {
        let mut demand = Demand::default();
        let pauses: Vec<u64> = [vec![1_000; 3000], vec![minutes(60); 3000]].concat();
        let now = after(&mut demand, &pauses);
        assert!(demand.pauses.total <= MANY);
        // One in a hundred may be an old one: the hours have it.
        assert_eq!(demand.pauses.percentile(0.5), Some(60));
        assert!(demand.keep(now, LIMIT) == 1);
    }
}
