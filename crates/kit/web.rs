//! Addresses from which keys and the like may be fetched.

use std::net::IpAddr;

/// The part behind the scheme of an address that nobody on the way can forge: `https`, or `http` on
/// this machine. `None` for all others, and for what would not mean the same to everybody who reads
/// it.
pub fn authentic(url: &str) -> Option<&str> {
    let odd =
        |letter: char| letter.is_whitespace() || letter.is_control() || "?#@\\".contains(letter);
    let (rest, plain) = match url.strip_prefix("https://") {
        Some(rest) => (rest, false),
        None => (url.strip_prefix("http://")?, true),
    };
    let host = host(rest);
    let good = !host.is_empty() && !rest.contains(odd) && (!plain || is_loopback(host));
    good.then_some(rest)
}

/// `example.com` of `example.com:443/path`, `::1` of `[::1]:80`.
fn host(rest: &str) -> &str {
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

fn is_loopback(host: &str) -> bool {
    let named = host == "localhost" || host.ends_with(".localhost");
    named || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine() {
        for (url, rest) in [
            ("https://id.example.com/team/a", "id.example.com/team/a"),
            ("http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://[::1]:8080/x", "[::1]:8080/x"),
            ("http://localhost/x", "localhost/x"),
        ] {
            assert_eq!(authentic(url), Some(rest), "{url}");
        }
        for url in [
            "http://id.example.com",
            "http://127.0.0.1.example.com",
            "http://localhost@example.com",
            "id.example.com",
            "https://",
            "https://a b",
            "https://a?b",
        ] {
            assert_eq!(authentic(url), None, "{url}");
        }
    }
}
