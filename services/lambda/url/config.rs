//! What is set of a function URL. Pure.

use std::net::IpAddr;

use kit::{Millis, Region, ids};
use serde::{Deserialize, Serialize};

use crate::url::cors::Cors;

/// Letters and digits of a URL's id, as on AWS.
const ID_CHARS: usize = 32;

/// The URL of a function or an alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FunctionUrl {
    /// The first label of its host; kept as long as the URL lives.
    pub(crate) id: String,
    pub(crate) auth: AuthType,
    pub(crate) cors: Option<Cors>,
    pub(crate) mode: Mode,
    pub(crate) created: Millis,
    pub(crate) modified: Millis,
}

/// `AuthType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AuthType {
    None,
    AwsIam,
}

/// `InvokeMode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Mode {
    Buffered,
    ResponseStream,
}

impl AuthType {
    /// Its name in AWS's API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            AuthType::None => "NONE",
            AuthType::AwsIam => "AWS_IAM",
        }
    }
}

impl FunctionUrl {
    /// A new one, at an address that nobody has had.
    pub(crate) fn new(auth: AuthType, cors: Option<Cors>, mode: Mode, now: Millis) -> FunctionUrl {
        let id = ids::lower_alphanumeric(ID_CHARS);
        FunctionUrl { id, auth, cors, mode, created: now, modified: now }
    }

    /// `FunctionUrl` for a client that reached the server at `endpoint`: under the same domain and
    /// port, so that what reaches our API reaches the function. An IP address has no names below it;
    /// `localhost` has, and they all mean this machine.
    pub(crate) fn address(&self, region: &Region, endpoint: &str) -> String {
        let host = endpoint.split_once("://").map_or(endpoint, |(_, host)| host);
        let host = host.split('/').next().unwrap_or_default();
        let (domain, port) = match host.rsplit_once(':') {
            Some((domain, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                (domain, format!(":{port}"))
            }
            _ => (host, String::new()),
        };
        let is_address = domain.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        let domain = if is_address || domain.is_empty() { "localhost" } else { domain };
        format!("http://{}.lambda-url.{region}.{domain}{port}/", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_under_the_domain_that_the_client_knows() {
        let url = FunctionUrl::new(AuthType::None, None, Mode::Buffered, Millis(0));
        assert_eq!(url.id.len(), 32);
        let front = format!("http://{}.lambda-url.eu-west-1.", url.id);
        let address = |endpoint| {
            let address = url.address(&"eu-west-1".parse().unwrap(), endpoint);
            address.strip_prefix(&front).unwrap().to_owned()
        };
        assert_eq!(address("http://127.0.0.1:4566"), "localhost:4566/");
        assert_eq!(address("http://[::1]:4566"), "localhost:4566/");
        assert_eq!(address("http://localhost"), "localhost/");
        assert_eq!(
            address("http://localhost.localstack.cloud:4566"),
            "localhost.localstack.cloud:4566/"
        );
        assert_eq!(address(""), "localhost/");
    }
}
