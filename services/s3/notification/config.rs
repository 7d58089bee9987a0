//! Notification configurations: what S3 refuses, and in which words.

use kit::Arn;
use s3s::dto;

use crate::{Error, limits, notification::Rule};

/// The events that configurations may name.
const EVENTS: [&str; 27] = [
    "s3:ReducedRedundancyLostObject",
    "s3:ObjectCreated:*",
    "s3:ObjectCreated:Put",
    "s3:ObjectCreated:Post",
    "s3:ObjectCreated:Copy",
    "s3:ObjectCreated:CompleteMultipartUpload",
    "s3:ObjectRemoved:*",
    "s3:ObjectRemoved:Delete",
    "s3:ObjectRemoved:DeleteMarkerCreated",
    "s3:ObjectRestore:*",
    "s3:ObjectRestore:Post",
    "s3:ObjectRestore:Completed",
    "s3:ObjectRestore:Delete",
    "s3:Replication:*",
    "s3:Replication:OperationFailedReplication",
    "s3:Replication:OperationNotTracked",
    "s3:Replication:OperationMissedThreshold",
    "s3:Replication:OperationReplicatedAfterThreshold",
    "s3:LifecycleTransition",
    "s3:IntelligentTiering",
    "s3:ObjectAcl:Put",
    "s3:LifecycleExpiration:*",
    "s3:LifecycleExpiration:Delete",
    "s3:LifecycleExpiration:DeleteMarkerCreated",
    "s3:ObjectTagging:*",
    "s3:ObjectTagging:Put",
    "s3:ObjectTagging:Delete",
];

/// What the three kinds of configuration have in common.
pub(crate) struct Target<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) arn: &'a str,
    /// The service that the ARN must name.
    pub(crate) service: &'static str,
    events: &'a [dto::Event],
    filter: Option<&'a dto::NotificationConfigurationFilter>,
}

/// All configurations of a document.
pub(crate) fn targets(document: &dto::NotificationConfiguration) -> Vec<Target<'_>> {
    let mut targets = Vec::new();
    macro_rules! add {
        ($list:ident, $arn:ident, $service:literal) => {
            for one in document.$list.iter().flatten() {
                targets.push(Target {
                    id: one.id.as_deref(),
                    arn: &one.$arn,
                    service: $service,
                    events: &one.events,
                    filter: one.filter.as_ref(),
                });
            }
        };
    }
    add!(topic_configurations, topic_arn, "sns");
    add!(queue_configurations, queue_arn, "sqs");
    add!(lambda_function_configurations, lambda_function_arn, "lambda");
    targets
}

/// Gives an id to every configuration that has none.
pub(crate) fn name_all(document: &mut dto::NotificationConfiguration) {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let name = |id: &mut Option<String>| {
        if id.as_deref().unwrap_or_default().is_empty() {
            *id = Some(STANDARD.encode(kit::ids::uuid()));
        }
    };
    document.topic_configurations.iter_mut().flatten().for_each(|one| name(&mut one.id));
    document.queue_configurations.iter_mut().flatten().for_each(|one| name(&mut one.id));
    document.lambda_function_configurations.iter_mut().flatten().for_each(|one| name(&mut one.id));
}

/// Checks a document whose configurations all have ids.
pub(crate) fn check(document: &dto::NotificationConfiguration) -> Result<(), Error> {
    let targets = targets(document);
    if targets.len() > limits::NOTIFICATIONS {
        return Err(Error::request(format!(
            "The number of notification configurations cannot exceed {}",
            limits::NOTIFICATIONS
        )));
    }
    let mut rules: Vec<Rule> = Vec::new();
    for target in &targets {
        target.check()?;
        let rule = target.rule().ok_or_else(|| target.malformed())?;
        if rules.iter().any(|other| other.id == rule.id) {
            return Err(Error::argument(
                "Same ID used for multiple configurations. IDs must be unique",
                "Id",
                &rule.id,
            ));
        }
        if let Some(other) = rules.iter().find(|other| overlaps(other, &rule)) {
            let unfiltered = |rule: &Rule| rule.prefix.is_empty() && rule.suffix.is_empty();
            let message = if unfiltered(other) && unfiltered(&rule) {
                "Configurations overlap. Configurations on the same bucket cannot share a common \
                 event type."
            } else {
                "Configuration is ambiguously defined. Cannot have overlapping suffixes in two \
                 rules if the prefixes are overlapping for the same event type."
            };
            return Err(Error::argument(message, "", ""));
        }
        rules.push(rule);
    }
    Ok(())
}

impl Target<'_> {
    /// The configuration, ready to match; `None` if its ARN is none.
    pub(crate) fn rule(&self) -> Option<Rule> {
        let value = |wanted: &str| {
            let rules = self.filter_rules().find(|rule| rule_name(rule) == wanted);
            rules.and_then(|rule| rule.value.clone()).unwrap_or_default()
        };
        Some(Rule {
            id: self.id.unwrap_or_default().to_owned(),
            target: self.arn.parse::<Arn>().ok()?,
            events: self.events.iter().map(|event| event.as_ref().to_owned()).collect(),
            prefix: value("prefix"),
            suffix: value("suffix"),
        })
    }

    fn filter_rules(&self) -> impl Iterator<Item = &dto::FilterRule> {
        let key = self.filter.and_then(|filter| filter.key.as_ref());
        key.and_then(|key| key.filter_rules.as_ref()).into_iter().flatten()
    }

    fn malformed(&self) -> Error {
        Error::argument("The ARN is not well formed", self.arn, "")
    }

    fn check(&self) -> Result<(), Error> {
        let arn = self.arn.parse::<Arn>().map_err(|_| self.malformed())?;
        if arn.service() != self.service {
            return Err(self.malformed());
        }
        if self.events.is_empty() {
            return Err(Error::MalformedXML {});
        }
        let unknown = self.events.iter().find(|event| !EVENTS.contains(&event.as_ref()));
        if let Some(event) = unknown {
            return Err(Error::argument(
                "A specified event is not supported for notifications.",
                "Event",
                event.as_ref(),
            ));
        }
        let mut seen: Vec<String> = Vec::new();
        for rule in self.filter_rules() {
            let name = rule_name(rule);
            if name != "prefix" && name != "suffix" {
                return Err(Error::argument(
                    "filter rule name must be either prefix or suffix",
                    "FilterRule.Name",
                    name,
                ));
            }
            if seen.contains(&name) {
                let message = format!("Cannot specify more than one {name} rule in a filter.");
                return Err(Error::argument(&message, "FilterRule.Name", name));
            }
            if rule.value.as_deref().unwrap_or_default().len() > limits::KEY_BYTES {
                return Err(Error::argument(
                    "Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation",
                    "FilterRule.Value",
                    rule.value.as_deref().unwrap_or_default(),
                ));
            }
            seen.push(name);
        }
        Ok(())
    }
}

fn rule_name(rule: &dto::FilterRule) -> String {
    rule.name.as_ref().map_or_else(String::new, |name| name.as_str().to_ascii_lowercase())
}

/// Whether one event on one key could fire both.
fn overlaps(one: &Rule, other: &Rule) -> bool {
    let prefixes = one.prefix.starts_with(&other.prefix) || other.prefix.starts_with(&one.prefix);
    let suffixes = one.suffix.ends_with(&other.suffix) || other.suffix.ends_with(&one.suffix);
    let covers = |pattern: &str, event: &str| match pattern.strip_suffix('*') {
        Some(family) => event.starts_with(family),
        None => pattern == event,
    };
    let events =
        one.events.iter().any(|a| other.events.iter().any(|b| covers(a, b) || covers(b, a)));
    prefixes && suffixes && events
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(id: &str, event: &str, filter: &[(&str, &str)]) -> dto::QueueConfiguration {
        let rules = filter.iter().map(|(name, value)| dto::FilterRule {
            name: Some(dto::FilterRuleName::from((*name).to_owned())),
            value: Some((*value).to_owned()),
        });
        dto::QueueConfiguration {
            events: vec![event.to_owned().into()],
            filter: Some(dto::NotificationConfigurationFilter {
                key: Some(dto::S3KeyFilter { filter_rules: Some(rules.collect()) }),
            }),
            id: Some(id.to_owned()),
            queue_arn: "arn:aws:sqs:us-east-1:000000000000:q".to_owned(),
        }
    }

    fn text(queues: Vec<dto::QueueConfiguration>) -> String {
        let document = dto::NotificationConfiguration {
            queue_configurations: Some(queues),
            ..Default::default()
        };
        check(&document).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn configurations_may_not_share_an_event() {
        let (put, all) = ("s3:ObjectCreated:Put", "s3:ObjectCreated:*");
        assert!(
            text(vec![queue("1", put, &[]), queue("2", all, &[])])
                .starts_with("Configurations overlap.")
        );
        let jpg = [("prefix", "in/"), ("suffix", "jpg")];
        let any = [("Prefix", "in")];
        assert!(text(vec![queue("1", put, &jpg), queue("2", put, &any)]).contains("ambiguously"));
        let png = [("suffix", "png")];
        assert_eq!(text(vec![queue("1", put, &jpg), queue("2", put, &png)]), "");
        assert_eq!(text(vec![queue("1", put, &[]), queue("2", "s3:ObjectRemoved:*", &[])]), "");
    }

    #[test]
    fn what_s3_does_not_know_is_refused() {
        assert!(text(vec![queue("1", "s3:Nothing", &[])]).contains("not supported"));
        let put = "s3:ObjectCreated:Put";
        assert!(text(vec![queue("1", put, &[("middle", "x")])]).contains("prefix or suffix"));
        let twice = [("prefix", "x"), ("Prefix", "y")];
        assert!(text(vec![queue("1", put, &twice)]).contains("more than one prefix"));
    }
}
