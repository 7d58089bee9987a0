//! Times in s3s's type and in ours.

use kit::Millis;
use s3s::dto::{Timestamp, TimestampFormat};

/// For answers.
pub(crate) fn timestamp(moment: Millis) -> Timestamp {
    let nanos = i128::from(moment.0) * 1_000_000;
    time::OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
        .into()
}

/// From requests; times before 1970 are 1970.
pub(crate) fn millis(timestamp: &Timestamp) -> Millis {
    let moment: time::OffsetDateTime = timestamp.clone().into();
    Millis(u64::try_from(moment.unix_timestamp_nanos() / 1_000_000).unwrap_or(0))
}

/// `Tue, 14 Nov 2023 22:13:20 GMT`.
pub(crate) fn http_date(moment: Millis) -> String {
    let mut bytes = Vec::new();
    let written = timestamp(moment).format(TimestampFormat::HttpDate, &mut bytes);
    written.ok().and_then(|()| String::from_utf8(bytes).ok()).unwrap_or_default()
}
