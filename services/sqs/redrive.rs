//! Redrive policies: where a queue's dead letters go, and which queues may send theirs here.

use kit::Arn;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{error::Error, limits, name::Place};

/// Where messages go that were received too often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RedrivePolicy {
    pub(crate) dead_letter_target_arn: Arn,
    /// A message is received this often; the next receive finds it gone.
    pub(crate) max_receive_count: u32,
}

/// Which queues may name this one as their dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RedriveAllowPolicy {
    redrive_permission: RedrivePermission,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source_queue_arns: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum RedrivePermission {
    AllowAll,
    DenyAll,
    ByQueue,
}

impl RedrivePolicy {
    /// Reads a policy; whether its target exists is for the caller to see.
    pub(crate) fn parse(text: &str) -> Result<RedrivePolicy, Error> {
        let invalid = |reason: &str| Error::invalid(text, "RedrivePolicy", reason);
        let Ok(Value::Object(map)) = serde_json::from_str(text) else {
            return Err(Error::InvalidParameterValue(
                "Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map.".to_owned(),
            ));
        };
        for name in ["maxReceiveCount", "deadLetterTargetArn"] {
            if !map.contains_key(name) {
                return Err(invalid(&format!(
                    "Redrive policy does not contain mandatory attribute: {name}."
                )));
            }
        }
        if map.len() > 2 {
            return Err(invalid(
                "Only following attributes are supported: [maxReceiveCount, deadLetterTargetArn].",
            ));
        }
        let max_receive_count = max_receive_count(&map).map_err(|given| {
            invalid(&format!(
                "Invalid value for maxReceiveCount: {given}, valid values are from 1 to 1000 both inclusive."
            ))
        })?;
        let arn = map["deadLetterTargetArn"].as_str().and_then(|arn| arn.parse::<Arn>().ok());
        let Some(dead_letter_target_arn) = arn else {
            return Err(invalid("Invalid value for deadLetterTargetArn."));
        };
        if dead_letter_target_arn.service() != "sqs" {
            return Err(invalid("Only SQS queues are valid resources for deadLetterTargetArn."));
        }
        Ok(RedrivePolicy { dead_letter_target_arn, max_receive_count })
    }

    /// The policy as AWS writes it.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).expect("an ARN and a number are JSON")
    }

    /// Checks the policy of the queue at `source` against its target, if there is one.
    pub(crate) fn check(
        &self,
        source: &Place,
        target: Option<(&Place, Option<&RedriveAllowPolicy>)>,
    ) -> Result<(), Error> {
        let invalid = |reason: &str| Error::invalid(self.text(), "RedrivePolicy", reason);
        let Some((target, allow)) = target else {
            return Err(invalid("Dead letter target does not exist."));
        };
        if target.account != source.account {
            return Err(invalid("Dead-letter target owner should be same as the source."));
        }
        if target.region != source.region {
            return Err(invalid("Dead-letter target should be in same region as the source."));
        }
        if target.is_fifo() != source.is_fifo() {
            return Err(invalid("Dead-letter queue must be same type of queue as the source.."));
        }
        if !allow.is_none_or(|allow| allow.allows(&source.arn())) {
            return Err(invalid("Dead-letter queue does not allow this source queue."));
        }
        Ok(())
    }
}

/// The count, given as a number or as digits; or what was given instead.
fn max_receive_count(map: &Map<String, Value>) -> Result<u32, String> {
    let given = &map["maxReceiveCount"];
    let number = given.as_i64().or_else(|| given.as_str()?.parse().ok());
    match number {
        Some(count) if limits::MAX_RECEIVE_COUNT.contains(&count) => Ok(count as u32),
        _ => Err(given.as_str().map_or_else(|| given.to_string(), str::to_owned)),
    }
}

impl RedriveAllowPolicy {
    /// Reads a policy.
    pub(crate) fn parse(text: &str) -> Result<RedriveAllowPolicy, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        struct Given {
            redrive_permission: RedrivePermission,
            source_queue_arns: Option<Vec<String>>,
        }
        let invalid = |reason: &str| Err(Error::invalid(text, "RedriveAllowPolicy", reason));
        let Ok(given) = serde_json::from_str::<Given>(text) else {
            return Err(Error::InvalidParameterValue(
                "Invalid value for the parameter RedriveAllowPolicy. Reason: Amazon SQS can't create the redrive allow policy, as it’s in an unsupported format.".to_owned(),
            ));
        };
        let sources = given.source_queue_arns.as_deref().unwrap_or_default();
        match given.redrive_permission {
            RedrivePermission::ByQueue if sources.is_empty() => {
                return invalid(
                    "Amazon SQS can't create the redrive allow policy. When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values.",
                );
            }
            RedrivePermission::ByQueue if sources.len() > limits::REDRIVE_SOURCES => {
                return invalid(
                    "Amazon SQS can't create the redrive allow policy. The maximum number of source queue ARNs you can specify is 10.",
                );
            }
            RedrivePermission::AllowAll | RedrivePermission::DenyAll if !sources.is_empty() => {
                return invalid(
                    "Amazon SQS can't create the redrive allow policy. To specify one or more source queue ARNs, you must set redrivePermission to byQueue.",
                );
            }
            _ => {}
        }
        Ok(RedriveAllowPolicy {
            redrive_permission: given.redrive_permission,
            source_queue_arns: given.source_queue_arns,
        })
    }

    /// The policy as AWS writes it.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).expect("names and ARNs are JSON")
    }

    fn allows(&self, source: &Arn) -> bool {
        match self.redrive_permission {
            RedrivePermission::AllowAll => true,
            RedrivePermission::DenyAll => false,
            RedrivePermission::ByQueue => {
                let mut named = self.source_queue_arns.iter().flatten();
                named.any(|arn| arn == source.as_str())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use kit::{AccountId, Region};

    use super::*;

    fn refusal(text: &str) -> String {
        RedrivePolicy::parse(text).unwrap_err().to_string()
    }

    fn place(name: &str) -> Place {
        Place { account: AccountId::DEFAULT, region: Region::default(), name: name.into() }
    }

    #[test]
    fn redrive_policies_are_refused_in_aws_words() {
        let reason = |text: &str| {
            let text = refusal(text);
            text.split_once(". Reason: ").map(|(_, reason)| reason.to_owned()).unwrap_or(text)
        };
        assert_eq!(
            refusal(r#"{"deadLetterTargetArn": "dummy", "maxReceiveCount": 42}"#),
            r#"Value {"deadLetterTargetArn": "dummy", "maxReceiveCount": 42} for parameter RedrivePolicy is invalid. Reason: Invalid value for deadLetterTargetArn."#
        );
        assert_eq!(reason(" "), "Redrive policy is not a valid JSON map.");
        assert_eq!(
            reason("{}"),
            "Redrive policy does not contain mandatory attribute: maxReceiveCount."
        );
        assert_eq!(
            reason(r#"{"deadLetterTargetArn":"arn:aws:sqs:r:a:q","maxReceiveCount":-36}"#),
            "Invalid value for maxReceiveCount: -36, valid values are from 1 to 1000 both inclusive."
        );
        assert_eq!(
            reason(r#"{"deadLetterTargetArn":"arn:aws:sns:r:a:t","maxReceiveCount":5}"#),
            "Only SQS queues are valid resources for deadLetterTargetArn."
        );
    }

    #[test]
    fn a_count_may_be_written_as_text() {
        let text = r#"{"maxReceiveCount":"3","deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead"}"#;
        let policy = RedrivePolicy::parse(text).unwrap();
        assert_eq!(policy.max_receive_count, 3);
        assert_eq!(
            policy.text(),
            r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":3}"#
        );
    }

    #[test]
    fn a_target_must_exist_be_of_the_same_kind_and_allow_the_source() {
        let text = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":3}"#;
        let policy = RedrivePolicy::parse(text).unwrap();
        let (source, dead, fifo) = (place("a"), place("dead"), place("dead.fifo"));
        assert!(policy.check(&source, None).is_err());
        assert!(policy.check(&source, Some((&fifo, None))).is_err());
        assert!(policy.check(&source, Some((&dead, None))).is_ok());
        for (allow, allowed) in [
            (r#"{"redrivePermission":"allowAll"}"#, true),
            (r#"{"redrivePermission":"denyAll"}"#, false),
            (
                r#"{"redrivePermission":"byQueue","sourceQueueArns":["arn:aws:sqs:us-east-1:000000000000:a"]}"#,
                true,
            ),
            (
                r#"{"redrivePermission":"byQueue","sourceQueueArns":["arn:aws:sqs:us-east-1:000000000000:b"]}"#,
                false,
            ),
        ] {
            let allow = RedriveAllowPolicy::parse(allow).unwrap();
            assert_eq!(policy.check(&source, Some((&dead, Some(&allow)))).is_ok(), allowed);
        }
    }

    #[test]
    fn allow_policies_are_refused_when_sources_and_permission_do_not_fit() {
        for text in [
            "badjson",
            "[]",
            "{}",
            r#"{"redrivePermission":"dummy"}"#,
            r#"{"redrivePermission":"allowAll","dummy":"value"}"#,
            r#"{"redrivePermission":"byQueue"}"#,
            r#"{"redrivePermission":"byQueue","sourceQueueArns":[]}"#,
            r#"{"redrivePermission":"denyAll","sourceQueueArns":["arn:aws:sqs:r:a:q"]}"#,
        ] {
            assert!(RedriveAllowPolicy::parse(text).is_err(), "{text}");
        }
    }
}
