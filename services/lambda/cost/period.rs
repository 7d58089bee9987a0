//! Periods: days, or moments of a minute, in UTC. Pure.

use kit::Millis;
use time::{Date, OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use crate::usage::{KEPT_MINUTES, Span};

const SECONDS_A_DAY: i64 = 24 * 60 * 60;
/// Days beyond which nobody asks: it bounds what one answer reads.
const MAX_DAYS: i64 = 400;

/// A span of time, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    pub(crate) span: Span,
    /// First and last day, or moments.
    pub(crate) from: String,
    pub(crate) to: String,
}

impl Period {
    /// From a day or moment to another, both included if they are days: `2026-11-23` or
    /// `2026-11-23T14:05:00Z`. Without them: from the first day of this month to today.
    ///
    /// # Errors
    /// What is wrong, as a sentence.
    pub fn parse(from: Option<&str>, to: Option<&str>, now: Millis) -> Result<Period, String> {
        let today = OffsetDateTime::from_unix_timestamp(now.seconds() as i64)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
            .date();
        let first = today.replace_day(1).unwrap_or(today);
        let from = from.map_or_else(|| day(first), str::to_owned);
        let to = to.map_or_else(|| day(today), str::to_owned);
        let (start, end) = (moment(&from, 0)?, moment(&to, SECONDS_A_DAY)?);
        if end <= start {
            return Err(format!("The period ends ({to}) before it begins ({from})."));
        }
        if end - start > MAX_DAYS * SECONDS_A_DAY {
            return Err(format!("A period has at most {MAX_DAYS} days."));
        }
        let minute = |seconds: i64| u64::try_from(seconds / 60).unwrap_or(0);
        let span = Span { from: minute(start), to: minute(end) };
        if !span.is_of_days() && span.from + KEPT_MINUTES < now.seconds() / 60 {
            return Err("Minutes are kept for fifteen days: ask for whole days.".to_owned());
        }
        Ok(Period { span, from, to })
    }
}

/// `2026-11-23`, of days since the epoch.
pub(crate) fn day_text(days: u64) -> String {
    let seconds = i64::try_from(days).unwrap_or(0) * SECONDS_A_DAY;
    OffsetDateTime::from_unix_timestamp(seconds).map_or_else(|_| String::new(), |it| day(it.date()))
}

/// A number for the month of a day: months since the epoch's year began.
pub(crate) fn month(days: u64) -> u32 {
    let seconds = i64::try_from(days).unwrap_or(0) * SECONDS_A_DAY;
    let date = OffsetDateTime::from_unix_timestamp(seconds);
    date.map_or(0, |it| it.year() as u32 * 12 + u32::from(u8::from(it.month())))
}

fn day(date: Date) -> String {
    date.format(time::macros::format_description!("[year]-[month]-[day]")).unwrap_or_default()
}

/// Seconds since the epoch; a day counts as the moment so many seconds after it began.
fn moment(text: &str, of_day: i64) -> Result<i64, String> {
    let date = Date::parse(text, time::macros::format_description!("[year]-[month]-[day]"));
    if let Ok(date) = date {
        return Ok(date.midnight().assume_utc().unix_timestamp() + of_day);
    }
    let moment = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| {
        format!("{text:?} is neither a day (2026-11-23) nor a moment (2026-11-23T14:05:00Z).")
    })?;
    Ok(moment.to_offset(UtcOffset::UTC).unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2023-11-14T22:13:20Z.
    const NOW: Millis = Millis(1_700_000_000_000);

    #[test]
    fn a_period_is_this_month_or_what_was_asked_for() {
        let period = Period::parse(None, None, NOW).unwrap();
        assert_eq!((period.from.as_str(), period.to.as_str()), ("2023-11-01", "2023-11-14"));
        assert_eq!((period.span.to - period.span.from) / (24 * 60), 14);
        let one = Period::parse(Some("2023-11-14"), Some("2023-11-14"), NOW).unwrap();
        assert_eq!(one.span.to - one.span.from, 24 * 60);
        let (from, to) = (Some("2023-11-14T22:00:00Z"), Some("2023-11-14T23:30:00+01:00"));
        let some = Period::parse(from, to, NOW).unwrap();
        assert_eq!(some.span.to - some.span.from, 30);
    }

    #[test]
    fn what_is_no_period_says_why() {
        let wrong = |from, to| Period::parse(Some(from), Some(to), NOW).unwrap_err();
        assert!(wrong("yesterday", "2023-11-14").contains("neither a day"));
        assert!(wrong("2023-11-14", "2023-11-13").contains("before it begins"));
        assert!(wrong("2020-01-01", "2023-11-13").contains("at most 400 days"));
        assert!(wrong("2023-10-29T00:01:00Z", "2023-11-13").contains("whole days"));
    }

    #[test]
    fn days_have_names_and_months() {
        let days = NOW.seconds() / SECONDS_A_DAY as u64;
        assert_eq!(day_text(days), "2023-11-14");
        assert_eq!(month(days), month(days - 13));
        assert_eq!(month(days - 14) + 1, month(days));
    }
}
