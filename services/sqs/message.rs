//! A message: what a producer sent, its digests, and which of its attributes a consumer sees.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use kit::{Arn, Millis};
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use crate::{error::Error, limits};

/// A message as it was sent. It never changes; receives are counted beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) head: Head,
    pub(crate) content: Content,
}

/// What is small.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The message id, a UUID.
    pub(crate) id: String,
    /// The sender's unique id.
    pub(crate) sender: String,
    pub(crate) sent: Millis,
    /// MessageGroupId.
    pub(crate) group: Option<Arc<str>>,
    /// MessageDeduplicationId, given or made from the body.
    pub(crate) deduplication: Option<String>,
    /// AWSTraceHeader.
    pub(crate) trace: Option<String>,
    /// The queue that gave it up, in a dead-letter queue.
    pub(crate) dead_letter_source: Option<Arn>,
}

/// What may be large.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    pub(crate) body: String,
    pub(crate) attributes: Attributes,
}

/// Message attributes by name.
pub(crate) type Attributes = BTreeMap<String, Attribute>;

/// The value of a message attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attribute {
    /// `String`, `Number` or `Binary`, with a custom ending or without: `Number.float`.
    pub(crate) data_type: String,
    pub(crate) value: Value,
}

/// Text for `String` and `Number`, bytes for `Binary`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Value {
    Text(String),
    Bytes(Bytes),
}

impl Value {
    fn bytes(&self) -> &[u8] {
        match self {
            Value::Text(text) => text.as_bytes(),
            Value::Bytes(bytes) => bytes,
        }
    }
}

impl Content {
    /// Bytes as AWS counts them towards a message's size.
    pub(crate) fn size_bytes(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, attribute)| {
            name.len() + attribute.data_type.len() + attribute.value.bytes().len()
        });
        self.body.len() + attributes.sum::<usize>()
    }
}

/// The MD5 digest of a body, hexadecimal.
pub(crate) fn md5_of_body(body: &str) -> String {
    hex::encode(Md5::digest(body))
}

/// The MD5 digest of attributes; `None` of no attributes.
///
/// Algorithm: the developer guide, "Calculating the MD5 message digest for message attributes".
pub(crate) fn md5_of_attributes<'a>(
    attributes: impl IntoIterator<Item = (&'a String, &'a Attribute)>,
) -> Option<String> {
    let mut attributes = attributes.into_iter().peekable();
    attributes.peek()?;
    let mut digest = Md5::new();
    let mut part = |bytes: &[u8], kind: Option<u8>| {
        if let Some(kind) = kind {
            digest.update([kind]);
        }
        digest.update((bytes.len() as u32).to_be_bytes());
        digest.update(bytes);
    };
    for (name, attribute) in attributes {
        part(name.as_bytes(), None);
        part(attribute.data_type.as_bytes(), None);
        let kind = match attribute.value {
            Value::Text(_) => 1,
            Value::Bytes(_) => 2,
        };
        part(attribute.value.bytes(), Some(kind));
    }
    Some(hex::encode(digest.finalize()))
}

/// The trace header as the attribute whose digest SendMessage answers with.
pub(crate) fn md5_of_trace(trace: &str) -> Option<String> {
    let name = TRACE.to_owned();
    let value = Value::Text(trace.to_owned());
    md5_of_attributes([(&name, &Attribute { data_type: "String".to_owned(), value })])
}

/// The one system attribute that producers set.
pub(crate) const TRACE: &str = "AWSTraceHeader";

/// Refuses characters that messages cannot hold.
pub(crate) fn check_text(text: &str) -> Result<(), Error> {
    let allowed = |it: char| matches!(it, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
    match text.chars().find(|it| !allowed(*it)) {
        Some(found) => Err(Error::InvalidMessageContents(found as u32)),
        None => Ok(()),
    }
}

/// An attribute as a producer wrote it.
pub(crate) struct Written {
    pub(crate) data_type: String,
    pub(crate) text: Option<String>,
    pub(crate) bytes: Option<Bytes>,
    /// List values, which SQS reserves and refuses.
    pub(crate) has_lists: bool,
}

/// Checks a producer's attributes.
pub(crate) fn check_attributes(
    written: impl ExactSizeIterator<Item = (String, Written)>,
) -> Result<Attributes, Error> {
    if written.len() > limits::MESSAGE_ATTRIBUTES {
        return Err(Error::InvalidParameterValue(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [{}].",
            written.len(),
            limits::MESSAGE_ATTRIBUTES
        )));
    }
    written.map(|(name, written)| check_attribute(name, written)).collect()
}

fn check_attribute(name: String, written: Written) -> Result<(String, Attribute), Error> {
    let refuse = |text: String| Err(Error::InvalidParameterValue(text));
    check_attribute_name(&name)?;
    let data_type = written.data_type;
    if written.has_lists {
        return refuse(
            "Message attribute list values in SendMessage operation are not supported.".to_owned(),
        );
    }
    if data_type.is_empty() {
        return refuse(format!(
            "The message (user) attribute '{name}' must contain a non-empty message attribute type."
        ));
    }
    let kind = data_type.split('.').next().unwrap_or_default();
    if !matches!(kind, "String" | "Number" | "Binary") {
        return refuse(format!(
            "The type of message (user) attribute '{name}' is invalid. You must use only the following supported type prefixes: Binary, Number, String."
        ));
    }
    if data_type.len() >= limits::ATTRIBUTE_NAME_BYTES {
        return refuse("Message (user) attribute type must be shorter than 256 bytes.".to_owned());
    }
    let value = match (kind, written.text, written.bytes) {
        (_, Some(_), Some(_)) => {
            return refuse(format!("Message (user) attribute '{name}' must have a single value."));
        }
        ("Binary", None, Some(bytes)) if !bytes.is_empty() => Value::Bytes(bytes),
        ("String" | "Number", Some(text), None) if !text.is_empty() => Value::Text(text),
        ("Binary", Some(text), None) if !text.is_empty() => {
            return refuse(format!(
                "Message (user) attribute '{name}' with type '{data_type}' must use field 'Binary'."
            ));
        }
        ("String" | "Number", None, Some(bytes)) if !bytes.is_empty() => {
            return refuse(format!(
                "Message (user) attribute '{name}' with type '{data_type}' must use field 'String'."
            ));
        }
        _ => {
            return refuse(format!(
                "Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'."
            ));
        }
    };
    if let Value::Text(text) = &value {
        // AWS names the characters as for bodies, but under the code of a wrong parameter.
        check_text(text).map_err(|error| Error::InvalidParameterValue(error.to_string()))?;
        if kind == "Number" && !is_number(text) {
            return refuse(format!(
                "Can't cast the value of message (user) attribute '{name}' to a number."
            ));
        }
    }
    Ok((name, Attribute { data_type, value }))
}

fn check_attribute_name(name: &str) -> Result<(), Error> {
    let lower = name.to_ascii_lowercase();
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let problem = if name.is_empty() {
        "The request must contain non-empty message (user) attribute names.".to_owned()
    } else if name.len() > limits::ATTRIBUTE_NAME_BYTES {
        "Message (user) attribute name must be shorter than 256 bytes.".to_owned()
    } else if lower.starts_with("aws.") || lower.starts_with("amazon.") {
        "You can't use message attribute names beginning with 'AWS.' or 'Amazon'. These strings are reserved for internal use.".to_owned()
    } else if !name.bytes().all(valid)
        || name.starts_with('.')
        || name.ends_with('.')
        || name.contains("..")
    {
        format!(
            "The message attribute name '{name}' is invalid. Attribute name can contain A-Z, a-z, 0-9, underscore (_), hyphen (-), and period (.) characters."
        )
    } else {
        return Ok(());
    };
    Err(Error::InvalidParameterValue(problem))
}

fn is_number(text: &str) -> bool {
    let digits =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    text.bytes().all(digits) && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// Whether a consumer's MessageAttributeNames ask for the attribute of this name.
pub(crate) fn is_asked_for(name: &str, asked: &[String]) -> bool {
    asked.iter().any(|asked| match asked.strip_suffix(".*") {
        Some(prefix) => name.starts_with(prefix),
        None => asked == "All" || asked == name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str, data_type: &str) -> Attribute {
        Attribute { data_type: data_type.to_owned(), value: Value::Text(value.to_owned()) }
    }

    fn written(data_type: &str, text: Option<&str>, bytes: Option<&'static [u8]>) -> Written {
        Written {
            data_type: data_type.to_owned(),
            text: text.map(str::to_owned),
            bytes: bytes.map(Bytes::from_static),
            has_lists: false,
        }
    }

    #[test]
    fn digests_are_those_that_aws_answered() {
        let there = ("Hello".to_owned(), text("There", "String"));
        let kenobi = ("General".to_owned(), text("Kenobi", "String"));
        let digest = |attributes: &[(String, Attribute)]| {
            let sorted: Attributes = attributes.iter().cloned().collect();
            md5_of_attributes(&sorted)
        };
        assert_eq!(digest(&[]), None);
        assert_eq!(
            digest(std::slice::from_ref(&there)).as_deref(),
            Some("a311262e065454b75da111d535b8dacd")
        );
        assert_eq!(digest(&[there, kenobi]).as_deref(), Some("fca026605781cb4126a1e9044df24232"));
        let number = ("UserId".to_owned(), text("1234567890123456789012", "Number.bigint"));
        assert_eq!(digest(&[number]).as_deref(), Some("797ab158d73dcb5242dedc4412c8e855"));
        let bytes = b"traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01";
        let binary = Attribute {
            data_type: "Binary".to_owned(),
            value: Value::Bytes(Bytes::from_static(bytes)),
        };
        assert_eq!(
            digest(&[("attr1".to_owned(), binary)]).as_deref(),
            Some("8cbe4db156db8a94db8b801b7addb984")
        );
        assert_eq!(
            md5_of_trace("some-trace-id").as_deref(),
            Some("fdce4f2818803f2f73becc09a54792c0")
        );
        assert_eq!(md5_of_body("msg"), "6e2baaf3b97dbeef01c0043275f9a0e7");
    }

    #[test]
    fn names_select_attributes_by_name_by_prefix_and_all() {
        let asked = |names: &[&str], name: &str| {
            is_asked_for(name, &names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>())
        };
        assert!(asked(&["All"], "Help.Me") && asked(&[".*"], "Help.Me"));
        assert!(asked(&["Hel.*"], "Hello") && asked(&["Hel.*"], "Help.Me"));
        assert!(asked(&["no", "Hello"], "Hello"));
        assert!(!asked(&["Hel.*"], "General") && !asked(&["Hel"], "Hello") && !asked(&[], "Hello"));
    }

    #[test]
    fn texts_hold_only_what_xml_can_hold() {
        assert!(check_text("tab\t line\n return\r é 😀").is_ok());
        assert_eq!(check_text("a\u{1}"), Err(Error::InvalidMessageContents(1)));
        let error = check_text("\u{FFFF}").unwrap_err();
        assert!(error.to_string().starts_with("Invalid binary character '#xFFFF' was found"));
    }

    #[test]
    fn attributes_are_refused_in_aws_words() {
        let refusal = |name: &str, written: Written| match check_attributes(std::iter::once((
            name.to_owned(),
            written,
        ))) {
            Ok(_) => "fits".to_owned(),
            Err(error) => error.to_string(),
        };
        for (name, written, expected) in [
            ("a", written("String", Some("x"), None), "fits"),
            ("a.b-c_D", written("Number.float", Some("-1.5e3"), None), "fits"),
            ("a", written("Binary.png", None, Some(b"x")), "fits"),
            (
                "a",
                written("Number", Some("world"), None),
                "Can't cast the value of message (user) attribute 'a' to a number.",
            ),
            (
                "a",
                written("String", Some(""), None),
                "Message (user) attribute 'a' must contain a non-empty value of type 'String'.",
            ),
            (
                "a",
                written("Strin", Some("x"), None),
                "The type of message (user) attribute 'a' is invalid. You must use only the following supported type prefixes: Binary, Number, String.",
            ),
            (
                "",
                written("String", Some("x"), None),
                "The request must contain non-empty message (user) attribute names.",
            ),
            (
                "amazon.a",
                written("String", Some("x"), None),
                "You can't use message attribute names beginning with 'AWS.' or 'Amazon'. These strings are reserved for internal use.",
            ),
        ] {
            assert_eq!(refusal(name, written), expected);
        }
        let many = (0..11).map(|n| (format!("a{n}"), written("String", Some("x"), None)));
        assert_eq!(
            check_attributes(many.collect::<Vec<_>>().into_iter()).unwrap_err().to_string(),
            "Number of message attributes [11] exceeds the allowed maximum [10]."
        );
    }
}
