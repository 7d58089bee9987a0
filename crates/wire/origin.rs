//! Pages of strangers. In `open` mode any credentials pass, so a web page that the user happens to
//! have open could drive the server: a browser sends it "simple" requests without asking first. A
//! request that says it comes from a page elsewhere, and that carries no `Authorization` header
//! (which a page may not set without asking), is therefore refused.

use http::{HeaderMap, Uri, header};

/// Whether a request comes from a page that is not this machine's, without signed headers.
pub(crate) fn is_foreign(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let origin: Option<Uri> = origin.to_str().ok().and_then(|origin| origin.parse().ok());
    let host = origin.as_ref().and_then(Uri::host);
    !headers.contains_key(header::AUTHORIZATION) && !host.is_some_and(is_loopback)
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    let address: Option<std::net::IpAddr> = host.parse().ok();
    match address {
        Some(address) => address.is_loopback(),
        None => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(origin: Option<&str>, authorization: bool) -> bool {
        let mut headers = HeaderMap::new();
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        if authorization {
            headers.insert(header::AUTHORIZATION, "AWS4-HMAC-SHA256 …".parse().unwrap());
        }
        is_foreign(&headers)
    }

    #[test]
    fn pages_elsewhere_are_told_from_ours_and_from_programs() {
        for origin in ["https://evil.example", "http://localhost.evil.example", "null", "file://"] {
            assert!(foreign(Some(origin), false), "{origin}");
            assert!(!foreign(Some(origin), true), "{origin} with signed headers");
        }
        for origin in
            ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:80", "http://a.localhost"]
        {
            assert!(!foreign(Some(origin), false), "{origin}");
        }
        assert!(!foreign(None, false));
    }
}
