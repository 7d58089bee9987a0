//! Issuers of tokens: their keys, fetched when a token is to be checked.
//!
//! Source: "OpenID Connect Discovery 1.0", section 4, and RFC 7517.

use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use reqwest::{Client, redirect::Policy};
use serde::{Deserialize, de::DeserializeOwned};

use crate::Error;

/// How long an issuer may take for one answer, as AWS waits.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer that is read.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Fetches the keys of issuers.
pub(crate) struct Issuers {
    /// None where this machine has no certificates to trust.
    client: Option<Client>,
}

/// What an issuer says of itself, as far as it matters here.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Issuers {
    pub(crate) fn new() -> Issuers {
        // Fails only where somebody else has chosen, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(TIMEOUT).redirect(Policy::none()).build();
        if let Err(error) = &client {
            tracing::warn!(%error, "keys of identity providers cannot be fetched");
        }
        Issuers { client: client.ok() }
    }

    /// The keys of an issuer.
    pub(crate) async fn keys(&self, issuer: &str) -> Result<JwkSet, Error> {
        let base = issuer.trim_end_matches('/');
        let address = format!("{base}/.well-known/openid-configuration");
        let discovery: Discovery = self.get(&address).await?;
        // Who speaks for another issuer could hand out its own keys.
        if discovery.issuer != issuer || kit::web::authentic(&discovery.jwks_uri).is_none() {
            return Err(Error::NoVerificationKey);
        }
        self.get(&discovery.jwks_uri).await
    }

    async fn get<T: DeserializeOwned>(&self, address: &str) -> Result<T, Error> {
        let client = self.client.as_ref().ok_or(Error::IssuerUnreachable)?;
        let unreachable = |error: reqwest::Error| {
            tracing::info!(address, %error, "an identity provider could not be reached");
            Error::IssuerUnreachable
        };
        let mut answer = client.get(address).send().await.map_err(unreachable)?;
        if answer.status().is_server_error() {
            return Err(Error::IssuerUnreachable);
        }
        if !answer.status().is_success() {
            return Err(Error::NoVerificationKey);
        }
        let mut text = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            text.extend_from_slice(&chunk);
            if text.len() > MAX_ANSWER_BYTES {
                return Err(Error::NoVerificationKey);
            }
        }
        serde_json::from_slice(&text).map_err(|_| Error::NoVerificationKey)
    }
}
