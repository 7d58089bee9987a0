//! Amazon resource names: `arn:partition:service:region:account:resource`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A parsed ARN. `region` and `account` are empty where the service has none (S3, IAM).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Arn {
    text: String,
    /// Byte offsets just behind the colons that follow service, region and account.
    starts: [usize; 4],
}

/// What is wrong with a text that should be an ARN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid ARN: {0}")]
pub struct InvalidArn(pub String);

impl Arn {
    /// Builds `arn:aws:service:region:account:resource`.
    pub fn new(service: &str, region: &str, account: &str, resource: impl fmt::Display) -> Arn {
        let mut text = format!("arn:aws:{service}:");
        let region_start = text.len();
        text.push_str(region);
        text.push(':');
        let account_start = text.len();
        text.push_str(account);
        text.push(':');
        let resource_start = text.len();
        text.push_str(&resource.to_string());
        Arn { text, starts: ["arn:aws:".len(), region_start, account_start, resource_start] }
    }

    /// The service's name as it stands in ARNs: `lambda`, `sqs`, `logs`.
    pub fn service(&self) -> &str {
        &self.text[self.starts[0]..self.starts[1] - 1]
    }

    /// The region, or an empty text.
    pub fn region(&self) -> &str {
        &self.text[self.starts[1]..self.starts[2] - 1]
    }

    /// The account's twelve digits, or an empty text.
    pub fn account(&self) -> &str {
        &self.text[self.starts[2]..self.starts[3] - 1]
    }

    /// Everything behind the account: `function:name`, `role/path/name`, a queue's name.
    pub fn resource(&self) -> &str {
        &self.text[self.starts[3]..]
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Arn {
    type Err = InvalidArn;

    fn from_str(text: &str) -> Result<Arn, InvalidArn> {
        let mut starts = [0; 4];
        let mut at = 0;
        for (index, part) in text.splitn(6, ':').enumerate() {
            let fits = match index {
                0 => part == "arn",
                1 | 2 => !part.is_empty(),
                5 => !part.is_empty(),
                _ => true,
            };
            if !fits {
                return Err(InvalidArn(text.to_owned()));
            }
            if index >= 2 {
                starts[index - 2] = at;
            }
            at += part.len() + 1;
        }
        if starts[3] == 0 {
            return Err(InvalidArn(text.to_owned()));
        }
        Ok(Arn { text: text.to_owned(), starts })
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Arn {
    type Error = InvalidArn;

    fn try_from(text: String) -> Result<Arn, InvalidArn> {
        text.parse()
    }
}

impl From<Arn> for String {
    fn from(arn: Arn) -> String {
        arn.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_comes_apart_and_together() {
        let text = "arn:aws:lambda:us-east-1:123456789012:function:name:PROD";
        let arn: Arn = text.parse().unwrap();
        assert_eq!(
            (arn.service(), arn.region(), arn.account(), arn.resource()),
            ("lambda", "us-east-1", "123456789012", "function:name:PROD")
        );
        assert_eq!(Arn::new("lambda", "us-east-1", "123456789012", "function:name:PROD"), arn);
        let bucket: Arn = "arn:aws:s3:::bucket/key:with:colons".parse().unwrap();
        assert_eq!((bucket.region(), bucket.account()), ("", ""));
        assert_eq!(bucket.resource(), "bucket/key:with:colons");
    }

    #[test]
    fn what_is_not_an_arn_is_refused() {
        for text in
            ["", "arn", "arn:aws:sqs", "arn:aws:sqs:r:a:", "urn:aws:sqs:r:a:q", "arn::sqs:r:a:q"]
        {
            assert!(text.parse::<Arn>().is_err(), "{text}");
        }
    }
}
