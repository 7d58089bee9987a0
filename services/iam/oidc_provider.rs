//! OpenID Connect providers: issuers of tokens with which strangers get sessions of roles.

use std::sync::Arc;

use kit::AccountId;
use serde::{Deserialize, Serialize};

use crate::{
    Error,
    account::Account,
    limits::{self, Quota},
    resource::{self, Kind, Resource},
    shelf::Shelf,
};

/// A provider. Its name is its URL without the scheme.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OidcProvider {
    pub(crate) resource: Resource,
    /// The issuer, as its tokens name it.
    pub(crate) issuer: String,
    /// Audiences whose tokens are taken.
    pub(crate) client_ids: Vec<String>,
    /// Kept and shown; what the issuer's certificate is worth, TLS decides.
    pub(crate) thumbprints: Vec<String>,
}

impl OidcProvider {
    /// Adds an audience; one that is there already does not matter.
    pub(crate) fn add_client(&mut self, id: String) -> Result<(), Error> {
        if self.client_ids.contains(&id) {
            return Ok(());
        }
        self.client_ids.push(id);
        check_clients(&self.client_ids)
    }
}

/// The URL of an issuer without its scheme. AWS takes `https` only; here an issuer on this machine
/// may do without.
pub(crate) fn name_of(url: &str) -> Result<&str, Error> {
    kit::web::authentic(url).ok_or(Error::InvalidProviderUrl)
}

/// Checks how many audiences there are.
pub(crate) fn check_clients(ids: &[String]) -> Result<(), Error> {
    if ids.len() > limits::CLIENTS_PER_PROVIDER.limit {
        return Err(Error::QuotaExceeded(limits::CLIENTS_PER_PROVIDER));
    }
    Ok(())
}

/// Checks how many thumbprints there are.
pub(crate) fn check_thumbprints(thumbprints: &[String]) -> Result<(), Error> {
    if thumbprints.len() > limits::THUMBPRINTS_PER_PROVIDER {
        return Err(Error::TooManyThumbprints);
    }
    Ok(())
}

/// The ARN of the provider of a URL.
pub(crate) fn arn_of(account: AccountId, url: &str) -> Option<kit::Arn> {
    Some(resource::arn::<OidcProvider>(account, None, name_of(url).ok()?))
}

/// The provider of this ARN.
pub(crate) fn find<'a>(account: &'a Account, arn: &str) -> Result<&'a Arc<OidcProvider>, Error> {
    let missing = || Error::NoSuchOidcProvider(arn.to_owned());
    let name = arn.split_once(":oidc-provider/").map_or("", |(_, name)| name);
    let provider = account.oidc_providers.find(name).map_err(|_| missing())?;
    if provider.arn(account.id).as_str() == arn { Ok(provider) } else { Err(missing()) }
}

impl Kind for OidcProvider {
    const TABLE: &'static str = "iam/oidc-provider";
    const WORD: &'static str = "oidc-provider";
    const ID_PREFIX: &'static str = "OIDC";
    const QUOTA: Quota = limits::OIDC_PROVIDERS;

    fn resource(&self) -> &Resource {
        &self.resource
    }

    fn resource_mut(&mut self) -> &mut Resource {
        &mut self.resource
    }

    fn shelf(account: &Account) -> &Shelf<OidcProvider> {
        &account.oidc_providers
    }

    fn shelf_mut(account: &mut Account) -> &mut Shelf<OidcProvider> {
        &mut account.oidc_providers
    }

    fn missing(name: &str) -> Error {
        Error::NoSuchOidcProvider(name.to_owned())
    }

    fn exists(name: &str) -> Error {
        Error::OidcProviderExists(format!("https://{name}"))
    }
}
