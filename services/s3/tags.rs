//! Tag sets of buckets and objects.

use std::collections::BTreeMap;

use s3s::dto;

use crate::{Error, limits};

/// Tags by key.
pub(crate) type Tags = BTreeMap<String, String>;

/// Checks a tag set as it came in a body.
pub(crate) fn from_set(set: dto::TagSet, most: usize) -> Result<Tags, Error> {
    let pairs = set
        .into_iter()
        .map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()))
        .collect();
    check(pairs, most)
}

/// Checks a tag set as it came in `x-amz-tagging`: `key1=value1&key2=value2`, URL-encoded.
pub(crate) fn from_header(text: &str) -> Result<Tags, Error> {
    let decode = |part: &str| {
        let part = part.replace('+', " ");
        percent_encoding::percent_decode_str(&part).decode_utf8_lossy().into_owned()
    };
    let pairs = text
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect();
    check(pairs, limits::OBJECT_TAGS)
}

/// A tag set as it goes into a body.
pub(crate) fn to_set(tags: &Tags) -> dto::TagSet {
    let tag = |(key, value): (&String, &String)| dto::Tag {
        key: Some(key.clone()),
        value: Some(value.clone()),
    };
    tags.iter().map(tag).collect()
}

fn check(pairs: Vec<(String, String)>, most: usize) -> Result<Tags, Error> {
    if pairs.len() > most {
        let what = if most == limits::OBJECT_TAGS { "Object" } else { "Bucket" };
        let message = format!("{what} tags cannot be greater than {most}");
        return Err(Error::BadRequest { message });
    }
    let mut tags = Tags::new();
    for (key, value) in pairs {
        let invalid =
            |message: &str| Error::InvalidTag { message: message.to_owned(), key: key.clone() };
        if key.is_empty() || key.chars().count() > limits::TAG_KEY_CHARS || !fits(&key) {
            return Err(invalid("The TagKey you have provided is invalid"));
        }
        if key.starts_with("aws:") {
            return Err(invalid("System tags cannot be added/updated by requester"));
        }
        if value.chars().count() > limits::TAG_VALUE_CHARS || !fits(&value) {
            return Err(invalid("The TagValue you have provided is invalid"));
        }
        if tags.contains_key(&key) {
            return Err(invalid("Cannot provide multiple Tags with the same key"));
        }
        tags.insert(key, value);
    }
    Ok(tags)
}

/// Letters, numbers, spaces and `+ - = . _ : / @` of any language.
fn fits(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || c == ' ' || "+-=._:/@".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_a_url_encoded_form() {
        let tags = from_header("a=1&b%20c=x%2By&d").unwrap();
        let expected = [("a", "1"), ("b c", "x+y"), ("d", "")];
        assert_eq!(tags, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    }

    #[test]
    fn what_is_no_tag_set_is_refused() {
        for text in ["=v", "a=1&a=2", "aws:x=1", "a=%3Cb%3E"] {
            assert!(matches!(from_header(text), Err(Error::InvalidTag { .. })), "{text}");
        }
        let eleven: Vec<String> = (0..11).map(|n| format!("k{n}=v")).collect();
        assert!(from_header(&eleven.join("&")).is_err());
    }
}
