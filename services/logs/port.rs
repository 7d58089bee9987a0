//! Where functions' lines come in: `bus::Logs`; and what policies ask about groups.

use std::sync::Arc;

use async_trait::async_trait;
use bus::{Lacking, LogEvent, ResourcePolicies};
use bytes::Bytes;
use kit::{AccountId, Arn, Region, Tags};
use store::{Durability, Record};

use crate::{Error, Logs, catalog::Place, limits};

/// Bytes that one append to the log takes.
const APPEND_BYTES: usize = 4 << 20;

/// Bytes of a message; longer ones are cut into several events.
const MESSAGE_BYTES: usize = limits::EVENT_BYTES - limits::EVENT_OVERHEAD_BYTES;

#[async_trait]
impl bus::Logs for Logs {
    async fn append(
        &self,
        account: AccountId,
        region: &Region,
        group: &str,
        stream: &str,
        events: Vec<LogEvent>,
    ) {
        let place = Place { account, region: region.clone() };
        let count = events.len();
        if let Err(error) = self.append_lines(&place, group, stream, events).await {
            tracing::error!(group, stream, count, %error, "log lines are lost");
        }
    }

    fn lacks(&self, account: AccountId, region: &Region, group: &str, stream: &str) -> Lacking {
        let place = Place { account, region: region.clone() };
        match self.stream(&place, group, stream) {
            Ok(_) => Lacking::Nothing,
            Err(Error::GroupNotFound) => Lacking::Group,
            Err(_) => Lacking::Stream,
        }
    }
}

/// Groups have tags and no policies of their own. Their streams have theirs.
impl ResourcePolicies for Logs {
    fn policy(&self, _group: &Arn) -> Option<Arc<str>> {
        None
    }

    fn tags(&self, group: &Arn) -> Tags {
        let place = group.account().parse().ok().zip(group.region().parse().ok());
        let Some((account, region)) = place else { return Tags::new() };
        let name = group.resource().strip_prefix("log-group:").unwrap_or_default();
        let name = name.split(':').next().unwrap_or_default();
        let catalog = self.catalog();
        let found = catalog.group(&Place { account, region }, name);
        found.map(|group| group.settings.tags.clone()).unwrap_or_default()
    }
}

impl Logs {
    async fn append_lines(
        &self,
        place: &Place,
        group: &str,
        stream: &str,
        events: Vec<LogEvent>,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let stream = self.ensure_stream(place, group, stream, now).await?;
        let mut records = Vec::new();
        let mut bytes = 0;
        for record in events.into_iter().flat_map(records_of) {
            // With its overhead, as the log counts too: short lines are mostly that.
            let record_bytes = record.bytes.len() + limits::EVENT_OVERHEAD_BYTES;
            if bytes + record_bytes > APPEND_BYTES {
                let full = std::mem::take(&mut records);
                self.events.append(stream.id, now, full, Durability::Lazy).await?;
                bytes = 0;
            }
            bytes += record_bytes;
            records.push(record);
        }
        if !records.is_empty() {
            self.events.append(stream.id, now, records, Durability::Lazy).await?;
        }
        Ok(())
    }
}

/// A line as records; a line that is too long makes several.
fn records_of(event: LogEvent) -> Vec<Record> {
    let at = event.at;
    let mut rest = Bytes::from(event.message);
    let mut records = Vec::new();
    while rest.len() > MESSAGE_BYTES {
        // A byte that is not `10……` begins a character.
        let is_start = |index: &usize| rest[*index] & 0xc0 != 0x80;
        let end = (1..=MESSAGE_BYTES).rev().find(is_start).unwrap_or(MESSAGE_BYTES);
        records.push(Record { at, bytes: rest.split_to(end) });
    }
    records.push(Record { at, bytes: rest });
    records
}

#[cfg(test)]
mod tests {
    use kit::Millis;

    use super::*;

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let message = format!("x{}", "é".repeat(MESSAGE_BYTES));
        let records = records_of(LogEvent { at: Millis(1), message: message.clone() });
        assert_eq!(records.len(), 3);
        let pieces: Vec<&str> =
            records.iter().map(|record| std::str::from_utf8(&record.bytes).unwrap()).collect();
        assert!(pieces.iter().all(|piece| piece.len() <= MESSAGE_BYTES));
        assert_eq!(pieces.concat(), message);
    }
}
