//! Queue attributes: what a queue is set to, read from and written as AWS's texts.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    limits,
    name::Kind,
    policy,
    redrive::{RedriveAllowPolicy, RedrivePolicy},
};

/// Attributes as a client writes and reads them.
pub(crate) type Texts = BTreeMap<String, String>;

/// Everything that SetQueueAttributes sets, and what only CreateQueue sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) delay_seconds: u64,
    pub(crate) message_bytes: usize,
    pub(crate) retention_seconds: u64,
    pub(crate) wait_seconds: u64,
    pub(crate) visibility_seconds: u64,
    /// The resource policy, JSON.
    pub(crate) policy: Option<String>,
    pub(crate) redrive: Option<RedrivePolicy>,
    pub(crate) redrive_allow: Option<RedriveAllowPolicy>,
    /// Kept and answered; there is no encryption by key.
    pub(crate) kms_key: Option<String>,
    pub(crate) kms_reuse_seconds: u64,
    pub(crate) managed_sse: bool,
    /// `None` for standard queues.
    pub(crate) fifo: Option<FifoSettings>,
}

/// What only FIFO queues are set to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FifoSettings {
    pub(crate) content_based_deduplication: bool,
    pub(crate) deduplication_scope: DeduplicationScope,
    pub(crate) throughput_limit: ThroughputLimit,
}

/// What a deduplication id counts within.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum DeduplicationScope {
    Queue,
    MessageGroup,
}

/// What AWS's throughput quota counts by. Kept and answered: nothing is throttled here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ThroughputLimit {
    PerQueue,
    PerMessageGroupId,
}

/// The attributes that SetQueueAttributes takes on every queue, in AWS's order.
const SETTABLE: [&str; 11] = [
    "DelaySeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "Policy",
    "ReceiveMessageWaitTimeSeconds",
    "VisibilityTimeout",
    "RedrivePolicy",
    "RedriveAllowPolicy",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
];

impl Settings {
    /// The settings of a new queue.
    pub(crate) fn create(texts: &Texts) -> Result<Settings, Error> {
        let kind = match texts.get("FifoQueue").map(String::as_str) {
            None => Kind::Standard,
            Some("true") => Kind::Fifo,
            // AWS does not know the attribute on standard queues.
            Some("false") => return Err(Error::unknown_attribute("FifoQueue")),
            Some(_) => return Err(Error::attribute_value("FifoQueue")),
        };
        let mut settings = Settings::defaults(kind);
        settings.apply(texts)?;
        Ok(settings)
    }

    /// What kind of queue it is.
    pub(crate) fn kind(&self) -> Kind {
        if self.fifo.is_some() { Kind::Fifo } else { Kind::Standard }
    }

    /// The settings after SetQueueAttributes.
    pub(crate) fn change(&self, texts: &Texts) -> Result<Settings, Error> {
        match (texts.get("FifoQueue").map(String::as_str), &self.fifo) {
            (None, _) | (Some("true"), Some(_)) => {}
            (Some(_), None) => return Err(Error::unknown_attribute("FifoQueue")),
            (Some(_), Some(_)) => {
                return Err(Error::InvalidAttributeValue(
                    "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.".to_owned(),
                ));
            }
        }
        let mut settings = self.clone();
        settings.apply(texts)?;
        Ok(settings)
    }

    fn defaults(kind: Kind) -> Settings {
        Settings {
            delay_seconds: 0,
            message_bytes: *limits::MESSAGE_BYTES.end() as usize,
            retention_seconds: 345_600,
            wait_seconds: 0,
            visibility_seconds: 30,
            policy: None,
            redrive: None,
            redrive_allow: None,
            kms_key: None,
            kms_reuse_seconds: 300,
            managed_sse: true,
            fifo: (kind == Kind::Fifo).then_some(FifoSettings {
                content_based_deduplication: false,
                deduplication_scope: DeduplicationScope::Queue,
                throughput_limit: ThroughputLimit::PerQueue,
            }),
        }
    }

    fn apply(&mut self, texts: &Texts) -> Result<(), Error> {
        for (name, text) in texts {
            if name == "FifoQueue" {
                continue;
            }
            match SETTABLE.contains(&name.as_str()) {
                true => self.set(name, text)?,
                false => self.set_fifo(name, text)?,
            }
        }
        self.choose_encryption(texts)?;
        let limit = self.fifo.as_ref().is_some_and(|fifo| {
            fifo.throughput_limit == ThroughputLimit::PerMessageGroupId
                && fifo.deduplication_scope == DeduplicationScope::Queue
        });
        if limit {
            return Err(Error::InvalidAttributeValue(
                "The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup".to_owned(),
            ));
        }
        Ok(())
    }

    fn set(&mut self, name: &str, text: &str) -> Result<(), Error> {
        let number = |range| number(name, text, range);
        match name {
            "DelaySeconds" => self.delay_seconds = number(limits::DELAY_SECONDS)?,
            "MaximumMessageSize" => self.message_bytes = number(limits::MESSAGE_BYTES)? as usize,
            "MessageRetentionPeriod" => self.retention_seconds = number(limits::RETENTION_SECONDS)?,
            "ReceiveMessageWaitTimeSeconds" => self.wait_seconds = number(limits::WAIT_SECONDS)?,
            "VisibilityTimeout" => self.visibility_seconds = number(limits::VISIBILITY_SECONDS)?,
            "KmsDataKeyReusePeriodSeconds" => {
                self.kms_reuse_seconds = number(limits::KMS_REUSE_SECONDS)?;
            }
            "KmsMasterKeyId" => self.kms_key = given(text).map(str::to_owned),
            "SqsManagedSseEnabled" => self.managed_sse = boolean(name, text)?,
            "Policy" => {
                self.policy = given(text)
                    .map(|text| policy::check(text).map(|()| text.to_owned()))
                    .transpose()?;
            }
            "RedrivePolicy" => self.redrive = given(text).map(RedrivePolicy::parse).transpose()?,
            "RedriveAllowPolicy" => {
                self.redrive_allow = given(text).map(RedriveAllowPolicy::parse).transpose()?;
            }
            _ => return Err(Error::unknown_attribute(name)),
        }
        Ok(())
    }

    fn set_fifo(&mut self, name: &str, text: &str) -> Result<(), Error> {
        let Some(fifo) = &mut self.fifo else {
            return Err(match name {
                "DeduplicationScope" | "FifoThroughputLimit" => Error::InvalidAttributeName(
                    format!("You can specify the {name} only when FifoQueue is set to true."),
                ),
                _ => Error::unknown_attribute(name),
            });
        };
        match (name, text) {
            ("ContentBasedDeduplication", _) => {
                fifo.content_based_deduplication = boolean(name, text)?;
            }
            ("DeduplicationScope", "queue") => fifo.deduplication_scope = DeduplicationScope::Queue,
            ("DeduplicationScope", "messageGroup") => {
                fifo.deduplication_scope = DeduplicationScope::MessageGroup;
            }
            ("FifoThroughputLimit", "perQueue") => {
                fifo.throughput_limit = ThroughputLimit::PerQueue
            }
            ("FifoThroughputLimit", "perMessageGroupId") => {
                fifo.throughput_limit = ThroughputLimit::PerMessageGroupId;
            }
            ("DeduplicationScope" | "FifoThroughputLimit", _) => {
                return Err(Error::attribute_value(name));
            }
            _ => return Err(Error::unknown_attribute(name)),
        }
        Ok(())
    }

    /// A key and the service's own encryption exclude each other; naming one ends the other.
    fn choose_encryption(&mut self, texts: &Texts) -> Result<(), Error> {
        let key = texts.get("KmsMasterKeyId").is_some_and(|key| !key.is_empty());
        let managed = texts.get("SqsManagedSseEnabled").is_some_and(|text| text == "true");
        match (key, managed) {
            (true, true) => {
                return Err(Error::InvalidAttributeName(
                    "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.".to_owned(),
                ));
            }
            (true, false) => self.managed_sse = false,
            (false, true) => self.kms_key = None,
            (false, false) => {}
        }
        Ok(())
    }

    /// Every set attribute as AWS writes it.
    pub(crate) fn texts(&self) -> Texts {
        let mut texts = Texts::new();
        let mut put = |name: &str, text: String| {
            texts.insert(name.to_owned(), text);
        };
        put("DelaySeconds", self.delay_seconds.to_string());
        put("MaximumMessageSize", self.message_bytes.to_string());
        put("MessageRetentionPeriod", self.retention_seconds.to_string());
        put("ReceiveMessageWaitTimeSeconds", self.wait_seconds.to_string());
        put("VisibilityTimeout", self.visibility_seconds.to_string());
        put("SqsManagedSseEnabled", self.managed_sse.to_string());
        if let Some(policy) = &self.policy {
            put("Policy", policy.clone());
        }
        if let Some(redrive) = &self.redrive {
            put("RedrivePolicy", redrive.text());
        }
        if let Some(allow) = &self.redrive_allow {
            put("RedriveAllowPolicy", allow.text());
        }
        if let Some(key) = &self.kms_key {
            put("KmsMasterKeyId", key.clone());
            put("KmsDataKeyReusePeriodSeconds", self.kms_reuse_seconds.to_string());
        }
        if let Some(fifo) = &self.fifo {
            put("FifoQueue", "true".to_owned());
            put("ContentBasedDeduplication", fifo.content_based_deduplication.to_string());
            let scope = match fifo.deduplication_scope {
                DeduplicationScope::Queue => "queue",
                DeduplicationScope::MessageGroup => "messageGroup",
            };
            put("DeduplicationScope", scope.to_owned());
            let limit = match fifo.throughput_limit {
                ThroughputLimit::PerQueue => "perQueue",
                ThroughputLimit::PerMessageGroupId => "perMessageGroupId",
            };
            put("FifoThroughputLimit", limit.to_owned());
        }
        texts
    }

    /// The first attribute of a repeated CreateQueue that the existing queue has otherwise.
    pub(crate) fn difference(&self, asked: &Settings, texts: &Texts) -> Option<String> {
        let (mine, theirs) = (self.texts(), asked.texts());
        texts.keys().find(|name| mine.get(*name) != theirs.get(*name)).cloned()
    }
}

/// An empty text takes an attribute back.
fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn number(name: &str, text: &str, range: RangeInclusive<i64>) -> Result<u64, Error> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<i64>() {
        Ok(value) if digits && range.contains(&value) => Ok(value as u64),
        _ => Err(Error::attribute_value(name)),
    }
}

fn boolean(name: &str, text: &str) -> Result<bool, Error> {
    text.parse().map_err(|_| Error::attribute_value(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> Texts {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    fn refusal(pairs: &[(&str, &str)]) -> Error {
        Settings::create(&texts(pairs)).unwrap_err()
    }

    #[test]
    fn defaults_are_those_of_aws() {
        let standard = Settings::create(&Texts::new()).unwrap().texts();
        let expected = [
            ("DelaySeconds", "0"),
            ("MaximumMessageSize", "1048576"),
            ("MessageRetentionPeriod", "345600"),
            ("ReceiveMessageWaitTimeSeconds", "0"),
            ("SqsManagedSseEnabled", "true"),
            ("VisibilityTimeout", "30"),
        ];
        assert_eq!(standard, texts(&expected));
        let fifo = Settings::create(&texts(&[("FifoQueue", "true")])).unwrap().texts();
        assert_eq!(fifo["DeduplicationScope"], "queue");
        assert_eq!(fifo["FifoThroughputLimit"], "perQueue");
        assert_eq!(fifo["ContentBasedDeduplication"], "false");
    }

    #[test]
    fn numbers_must_be_digits_within_bounds() {
        for (name, text) in [
            ("DelaySeconds", ""),
            ("DelaySeconds", " 6"),
            ("DelaySeconds", "-45"),
            ("DelaySeconds", "+5"),
            ("DelaySeconds", "901"),
            ("DelaySeconds", "5.5"),
            ("MaximumMessageSize", "1023"),
            ("MaximumMessageSize", "1048577"),
            ("VisibilityTimeout", "43201"),
            ("KmsDataKeyReusePeriodSeconds", "86405"),
        ] {
            assert_eq!(refusal(&[(name, text)]), Error::attribute_value(name), "{name} {text}");
        }
        assert!(Settings::create(&texts(&[("MaximumMessageSize", "1024")])).is_ok());
    }

    #[test]
    fn attributes_of_the_other_kind_of_queue_are_unknown() {
        for name in ["ContentBasedDeduplication", "QueueArn", "Nonsense"] {
            assert_eq!(refusal(&[(name, "true")]), Error::unknown_attribute(name));
        }
        assert_eq!(
            refusal(&[("FifoThroughputLimit", "perQueue")]).to_string(),
            "You can specify the FifoThroughputLimit only when FifoQueue is set to true."
        );
        assert_eq!(
            refusal(&[("FifoQueue", "true"), ("FifoThroughputLimit", "perMessageGroupId")])
                .to_string(),
            "The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup"
        );
        let fifo = Settings::create(&texts(&[("FifoQueue", "true")])).unwrap();
        assert_eq!(
            fifo.change(&texts(&[("FifoQueue", "false")])).unwrap_err().to_string(),
            "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."
        );
    }

    #[test]
    fn a_key_and_managed_encryption_exclude_each_other() {
        let both = [("SqsManagedSseEnabled", "true"), ("KmsMasterKeyId", "alias/aws/sqs")];
        assert!(matches!(refusal(&both), Error::InvalidAttributeName(_)));
        let with_key = Settings::create(&texts(&[("KmsMasterKeyId", "k")])).unwrap();
        assert_eq!(with_key.texts()["SqsManagedSseEnabled"], "false");
        assert_eq!(with_key.texts()["KmsDataKeyReusePeriodSeconds"], "300");
        let managed = with_key.change(&texts(&[("SqsManagedSseEnabled", "true")])).unwrap();
        assert!(!managed.texts().contains_key("KmsMasterKeyId"));
    }

    #[test]
    fn only_what_a_repeated_create_names_is_compared() {
        let existing = Settings::create(&texts(&[("DelaySeconds", "5")])).unwrap();
        for (asked, difference) in [
            (texts(&[]), None),
            (texts(&[("DelaySeconds", "5")]), None),
            (texts(&[("DelaySeconds", "6")]), Some("DelaySeconds".to_owned())),
            (texts(&[("VisibilityTimeout", "30")]), None),
        ] {
            let settings = Settings::create(&asked).unwrap();
            assert_eq!(existing.difference(&settings, &asked), difference);
        }
    }
}
