//! Issuers of tokens: their keys, fetched when a token is to be checked, and kept for an hour. A token
//! that none of the kept keys has signed makes them be fetched again, once a minute at most: anybody
//! may send such tokens.
//!
//! Source: "OpenID Connect Discovery 1.0", section 4, and RFC 7517.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jsonwebtoken::jwk::JwkSet;
use kit::Millis;
use reqwest::{Client, redirect::Policy};
use serde::{Deserialize, de::DeserializeOwned};

use crate::Error;

/// How long an issuer may take for one answer, as AWS waits.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer that is read.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// How long keys are good that were fetched.
const KEEP_MILLIS: u64 = 3600 * 1000;
/// How long keys are not fetched again for tokens that none of them has signed.
const REST_MILLIS: u64 = 60 * 1000;
/// How long an issuer is not asked again that could not be reached.
const FAILURE_REST_MILLIS: u64 = 1000;
/// Issuers whose keys are kept; when there are more, all are fetched anew.
const MAX_ISSUERS: usize = 1024;

/// Fetches the keys of issuers.
pub(crate) struct Issuers {
    /// None where this machine has no certificates to trust.
    client: Option<Client>,
    kept: Mutex<HashMap<String, Turn>>,
}

/// What an issuer has answered; who holds it may ask anew.
type Turn = Arc<tokio::sync::Mutex<Option<Answer>>>;

/// The last answer of an issuer.
#[derive(Clone)]
struct Answer {
    keys: Result<Arc<JwkSet>, Error>,
    at: Millis,
}

impl Answer {
    fn is_good_for(&self, millis: u64, now: Millis) -> bool {
        now.since(self.at) < millis
    }
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
        Issuers { client: client.ok(), kept: Mutex::default() }
    }

    /// The keys of an issuer, which may be an hour old.
    pub(crate) async fn keys(&self, issuer: &str, now: Millis) -> Result<Arc<JwkSet>, Error> {
        self.no_older(issuer, KEEP_MILLIS, now).await
    }

    /// The keys of an issuer for a token that those we had have not signed.
    pub(crate) async fn newer(&self, issuer: &str, now: Millis) -> Result<Arc<JwkSet>, Error> {
        self.no_older(issuer, REST_MILLIS, now).await
    }

    /// One asks an issuer at a time; the others take what it learns.
    async fn no_older(&self, issuer: &str, millis: u64, now: Millis) -> Result<Arc<JwkSet>, Error> {
        let turn = self.turn(issuer);
        let mut last = turn.lock().await;
        if let Some(answer) = &*last {
            let millis = if answer.keys.is_ok() { millis } else { FAILURE_REST_MILLIS };
            if answer.is_good_for(millis, now) {
                return answer.keys.clone();
            }
        }
        let keys = self.fetch(issuer).await.map(Arc::new);
        *last = Some(Answer { keys: keys.clone(), at: now });
        keys
    }

    fn turn(&self, issuer: &str) -> Turn {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_ISSUERS && !kept.contains_key(issuer) {
            kept.clear();
        }
        kept.entry(issuer.to_owned()).or_default().clone()
    }

    async fn fetch(&self, issuer: &str) -> Result<JwkSet, Error> {
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// An issuer on this machine, and how often its keys were asked for.
    async fn issuer() -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let (own, counter) = (url.clone(), asked.clone());
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut request = [0; 1024];
                let length = socket.read(&mut request).await.unwrap();
                let body = match request[..length].starts_with(b"GET /keys") {
                    true => {
                        counter.fetch_add(1, Ordering::Relaxed);
                        r#"{"keys":[]}"#.to_owned()
                    }
                    false => format!(r#"{{"issuer":"{own}","jwks_uri":"{own}/keys"}}"#),
                };
                let head = "HTTP/1.1 200 OK\r\nconnection: close";
                let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        (url, asked)
    }

    #[tokio::test]
    async fn keys_are_kept_and_fetched_again_with_rests() {
        let (url, asked) = issuer().await;
        let issuers = Issuers::new();
        let count = || asked.load(Ordering::Relaxed);
        let begin = Millis(1_000_000);
        let later = |seconds: u64| begin.plus_seconds(seconds);
        issuers.keys(&url, begin).await.unwrap();
        issuers.keys(&url, later(3599)).await.unwrap();
        assert_eq!(count(), 1);
        issuers.keys(&url, later(3600)).await.unwrap();
        assert_eq!(count(), 2);
        issuers.newer(&url, later(3659)).await.unwrap();
        assert_eq!(count(), 2);
        issuers.newer(&url, later(3660)).await.unwrap();
        issuers.newer(&url, later(3661)).await.unwrap();
        assert_eq!(count(), 3);
    }

    #[tokio::test]
    async fn many_who_ask_at_once_make_one_request() {
        let (url, asked) = issuer().await;
        let issuers = Arc::new(Issuers::new());
        let one = || {
            let (issuers, url) = (issuers.clone(), url.clone());
            tokio::spawn(async move { issuers.keys(&url, Millis(0)).await.map(drop) })
        };
        let all: Vec<_> = (0..20).map(|_| one()).collect();
        for task in all {
            task.await.unwrap().unwrap();
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
}
