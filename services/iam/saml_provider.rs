//! SAML providers. Their metadata is checked and kept; nobody's assertions are taken yet.

use std::sync::Arc;

use kit::{AccountId, Arn, Millis};
use quick_xml::{
    events::{BytesStart, Event},
    name::ResolveResult,
    reader::NsReader,
};
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    Error,
    account::Account,
    limits::{self, Quota},
    resource::{self, Kind, Resource},
    shelf::Shelf,
};

/// The namespace of SAML metadata.
const METADATA: &[u8] = b"urn:oasis:names:tc:SAML:2.0:metadata";
/// How long metadata holds that does not say: a hundred years.
const FOREVER_SECONDS: u64 = 100 * 365 * 24 * 3600;

/// A provider.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SamlProvider {
    pub(crate) resource: Resource,
    /// Metadata as it was sent.
    pub(crate) document: String,
    pub(crate) valid_until: Millis,
    /// Whether assertions must be encrypted.
    pub(crate) encrypted: bool,
}

/// Checks that a text is the metadata of an identity provider and says until when it holds.
pub(crate) fn read_metadata(document: &str, now: Millis) -> Result<Millis, Error> {
    let mut reader = NsReader::from_str(document);
    let mut seen = Seen::default();
    loop {
        match reader.read_resolved_event() {
            Ok((namespace, Event::Start(tag) | Event::Empty(tag))) => {
                seen.element(
                    namespace == ResolveResult::Bound(quick_xml::name::Namespace(METADATA)),
                    &tag,
                );
            }
            Ok((_, Event::Eof)) => break,
            Ok(_) => {}
            Err(_) => return Err(Error::UnreadableMetadata),
        }
    }
    if !(seen.entity && seen.provider && seen.sign_on) {
        return Err(Error::UnreadableMetadata);
    }
    Ok(seen.valid_until.unwrap_or_else(|| resource::second(now).plus_seconds(FOREVER_SECONDS)))
}

/// What of a provider's metadata was found.
#[derive(Default)]
struct Seen {
    entity: bool,
    provider: bool,
    sign_on: bool,
    valid_until: Option<Millis>,
}

impl Seen {
    fn element(&mut self, of_metadata: bool, tag: &BytesStart<'_>) {
        match tag.local_name().as_ref() {
            b"EntityDescriptor" if of_metadata => {
                self.entity = attribute(tag, "entityID").is_some();
                self.valid_until = attribute(tag, "validUntil").and_then(|text| moment(&text));
            }
            b"IDPSSODescriptor" if of_metadata => self.provider = true,
            b"SingleSignOnService" if of_metadata => self.sign_on = true,
            _ => {}
        }
    }
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = tag.try_get_attribute(name).ok()??;
    String::from_utf8(attribute.value.into_owned()).ok()
}

fn moment(text: &str) -> Option<Millis> {
    let date = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(date.unix_timestamp()).ok().map(|seconds| Millis(seconds * 1000))
}

/// The ARN of the provider of a name.
pub(crate) fn arn_of(account: AccountId, name: &str) -> Arn {
    resource::arn::<SamlProvider>(account, None, name)
}

/// The provider of this ARN.
pub(crate) fn find<'a>(account: &'a Account, arn: &str) -> Result<&'a Arc<SamlProvider>, Error> {
    let missing = || Error::NoSuchSamlProvider(arn.to_owned());
    let name = arn.split_once(":saml-provider/").map_or("", |(_, name)| name);
    let provider = account.saml_providers.find(name).map_err(|_| missing())?;
    if provider.arn(account.id).as_str() == arn { Ok(provider) } else { Err(missing()) }
}

impl Kind for SamlProvider {
    const TABLE: &'static str = "iam/saml-provider";
    const WORD: &'static str = "saml-provider";
    const ID_PREFIX: &'static str = "SAMLP";
    const QUOTA: Quota = limits::SAML_PROVIDERS;

    fn resource(&self) -> &Resource {
        &self.resource
    }

    fn resource_mut(&mut self) -> &mut Resource {
        &mut self.resource
    }

    fn shelf(account: &Account) -> &Shelf<SamlProvider> {
        &account.saml_providers
    }

    fn shelf_mut(account: &mut Account) -> &mut Shelf<SamlProvider> {
        &mut account.saml_providers
    }

    fn missing(name: &str) -> Error {
        Error::NoSuchSamlProvider(name.to_owned())
    }

    fn exists(name: &str) -> Error {
        Error::NamedExists { kind: "SAMLProvider", name: name.to_owned() }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The metadata of a provider, long enough for the API.
    pub(crate) fn metadata(attributes: &str) -> String {
        let filler = "x".repeat(1000);
        format!(
            r#"<?xml version="1.0"?><md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://id.example.com" {attributes}><!-- {filler} --><md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://id.example.com/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>"#
        )
    }

    #[test]
    fn metadata_says_until_when_it_holds() {
        let until = read_metadata(&metadata(r#"validUntil="2030-01-01T00:00:00Z""#), Millis(0));
        assert_eq!(until.unwrap(), Millis(1_893_456_000_000));
        assert_eq!(read_metadata(&metadata(""), Millis(1)).unwrap(), Millis(3_153_600_000_000));
    }

    #[test]
    fn what_is_no_metadata_is_refused() {
        let other = metadata("").replace("SAML:2.0:metadata", "SAML:1.1:metadata");
        let broken = metadata("").replace("</md:IDPSSODescriptor>", "");
        for document in ["", "text", "<a></a>", &other, &broken] {
            let refused = read_metadata(document, Millis(0));
            assert!(matches!(refused, Err(Error::UnreadableMetadata)), "{document}");
        }
    }
}
