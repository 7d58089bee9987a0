//! Bucket configurations as documents: stored as the XML that S3 publishes, so that a row outlives
//! the types that read it.

use s3s::xml::{DeserializeContent, Deserializer, SerializeContent, Serializer};

use crate::Error;

/// The kinds of configuration that a bucket holds, by the names of their rows.
pub(crate) mod kind {
    pub(crate) const ACCELERATE: &str = "accelerate";
    pub(crate) const ANALYTICS: &str = "analytics";
    pub(crate) const CORS: &str = "cors";
    pub(crate) const ENCRYPTION: &str = "encryption";
    pub(crate) const INTELLIGENT_TIERING: &str = "intelligent-tiering";
    pub(crate) const INVENTORY: &str = "inventory";
    pub(crate) const LIFECYCLE: &str = "lifecycle";
    pub(crate) const LOGGING: &str = "logging";
    pub(crate) const METRICS: &str = "metrics";
    pub(crate) const NOTIFICATION: &str = "notification";
    pub(crate) const OWNERSHIP: &str = "ownership";
    pub(crate) const POLICY: &str = "policy";
    pub(crate) const PUBLIC_ACCESS_BLOCK: &str = "public-access-block";
    pub(crate) const REPLICATION: &str = "replication";
    pub(crate) const REQUEST_PAYMENT: &str = "request-payment";
    pub(crate) const TRANSITION_SIZE: &str = "transition-size";
    pub(crate) const WEBSITE: &str = "website";
}

/// The element around every stored document.
const ROOT: &str = "Document";

/// Writes a document.
pub(crate) fn write(document: &impl SerializeContent) -> String {
    let mut bytes = Vec::new();
    let written = Serializer::new(&mut bytes).content(ROOT, document);
    written.expect("writing to memory does not fail");
    String::from_utf8(bytes).expect("the serializer writes UTF-8")
}

/// Reads what [`write`] wrote.
pub(crate) fn read<T: for<'xml> DeserializeContent<'xml>>(text: &str) -> Result<T, Error> {
    let mut deserializer = Deserializer::new(text.as_bytes());
    let document = deserializer.named_element(ROOT, T::deserialize_content);
    document.map_err(|error| Error::internal(&format!("a stored configuration: {error}")))
}

#[cfg(test)]
mod tests {
    use s3s::dto;

    use super::*;

    #[test]
    fn a_document_survives_being_stored() {
        let rule = dto::CORSRule {
            allowed_headers: Some(vec!["*".to_owned()]),
            allowed_methods: vec!["GET".to_owned(), "PUT".to_owned()],
            allowed_origins: vec!["http://*.example.com".to_owned()],
            expose_headers: None,
            id: Some("<&>".to_owned()),
            max_age_seconds: Some(60),
        };
        let document = dto::CORSConfiguration { cors_rules: vec![rule] };
        assert_eq!(read::<dto::CORSConfiguration>(&write(&document)), Ok(document));
    }
}
