//! Event notifications: which configurations an event fires, and the deliveries that it becomes.
//!
//! Functions and queues are delivered to. Topics and EventBridge are stored only.
//!
//! Read next: `config` (what S3 refuses), `event` (the record).

pub(crate) mod config;
pub(crate) mod event;

use kit::{Arn, Caller};
use s3s::dto;

use crate::bucket::Bucket;
pub(crate) use event::{Event, EventName};

/// A bucket's notification configuration, ready to match.
#[derive(Debug, Default)]
pub(crate) struct Notifications {
    rules: Vec<Rule>,
}

/// One configuration for one target.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) target: Arn,
    pub(crate) events: Vec<String>,
    pub(crate) prefix: String,
    pub(crate) suffix: String,
}

impl Notifications {
    /// The rules of a stored configuration.
    pub(crate) fn new(configuration: dto::NotificationConfiguration) -> Notifications {
        let targets = config::targets(&configuration);
        let rules = targets.into_iter().filter_map(|target| target.rule()).collect();
        Notifications { rules }
    }

    /// The rules that an event fires.
    fn matching<'a>(&'a self, name: EventName, key: &'a str) -> impl Iterator<Item = &'a Rule> {
        self.rules.iter().filter(move |rule| {
            key.starts_with(&rule.prefix)
                && key.ends_with(&rule.suffix)
                && rule.events.iter().any(|pattern| name.matches(pattern))
        })
    }
}

/// The deliveries of an event.
pub(crate) fn deliveries(
    bucket: &Bucket,
    caller: &Caller,
    event: &Event<'_>,
) -> Vec<bus::Delivery> {
    let rules = bucket.notifications.matching(event.name, event.key);
    rules
        .map(|rule| {
            let order = format!("{}/{}/{}", rule.target, bucket.row.name, event.key);
            let payload = event.payload(bucket, caller, &rule.id);
            delivery(bucket, caller, rule.target.clone(), order, payload)
        })
        .collect()
}

/// The event that S3 sends when a configuration names a target.
pub(crate) fn test_delivery(bucket: &Bucket, caller: &Caller, target: Arn) -> bus::Delivery {
    let payload = event::test_payload(bucket, caller);
    delivery(bucket, caller, target, String::new(), payload)
}

fn delivery(
    bucket: &Bucket,
    caller: &Caller,
    target: Arn,
    order: String,
    payload: String,
) -> bus::Delivery {
    let source = bucket.row.arn();
    let sent = bus::Delivery::new(target, "s3.amazonaws.com", source, caller, payload);
    // The bucket's, not the caller's.
    let (account, region) = (bucket.row.account, bucket.row.region.clone());
    bus::Delivery { account, region, order, trace: caller.trace.clone(), ..sent }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_fires_for_its_events_and_keys() {
        let rule = Rule {
            id: "r".to_owned(),
            target: "arn:aws:sqs:us-east-1:000000000000:q".parse().unwrap(),
            events: vec!["s3:ObjectCreated:*".to_owned(), "s3:ObjectRemoved:Delete".to_owned()],
            prefix: "in/".to_owned(),
            suffix: ".jpg".to_owned(),
        };
        let notifications = Notifications { rules: vec![rule] };
        let fires = |name, key| notifications.matching(name, key).count() == 1;
        assert!(fires(EventName::CreatedPut, "in/a.jpg"));
        assert!(fires(EventName::RemovedDelete, "in/a.jpg"));
        assert!(!fires(EventName::RemovedDeleteMarkerCreated, "in/a.jpg"));
        assert!(!fires(EventName::CreatedPut, "in/a.png"));
        assert!(!fires(EventName::CreatedPut, "out/a.jpg"));
    }
}
