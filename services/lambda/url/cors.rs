//! Cross-origin requests to function URLs. Pure.
//!
//! Source: "Creating and managing Lambda function URLs". A preflight is answered from the
//! configuration alone. To other answers the configured headers are added; those that the function
//! gives stay, duplicates too.

use serde::{Deserialize, Serialize};

const ANY: &str = "*";

/// `Cors`. What is not set is not shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Cors {
    pub(crate) allow_credentials: Option<bool>,
    pub(crate) allow_headers: Option<Vec<String>>,
    pub(crate) allow_methods: Option<Vec<String>>,
    pub(crate) allow_origins: Option<Vec<String>>,
    pub(crate) expose_headers: Option<Vec<String>>,
    pub(crate) max_age_seconds: Option<i32>,
}

impl Cors {
    /// The headers of the answer to a preflight; none if it is not allowed.
    pub(crate) fn preflight(&self, origin: &str, method: &str) -> Vec<(&'static str, String)> {
        let methods = self.allow_methods.as_deref().unwrap_or_default();
        if !methods.iter().any(|it| it == ANY || it.eq_ignore_ascii_case(method)) {
            return Vec::new();
        }
        let Some(mut headers) = self.origin(origin) else { return Vec::new() };
        headers.push(("access-control-allow-methods", methods.join(",")));
        if let Some(allowed) = listed(self.allow_headers.as_deref()) {
            headers.push(("access-control-allow-headers", allowed));
        }
        if let Some(seconds) = self.max_age_seconds {
            headers.push(("access-control-max-age", seconds.to_string()));
        }
        headers
    }

    /// The headers that are added to an answer; none if the origin is not allowed.
    pub(crate) fn added(&self, origin: &str) -> Vec<(&'static str, String)> {
        let Some(mut headers) = self.origin(origin) else { return Vec::new() };
        if let Some(exposed) = listed(self.expose_headers.as_deref()) {
            headers.push(("access-control-expose-headers", exposed));
        }
        headers
    }

    /// What every answer says to an origin that is allowed.
    fn origin(&self, origin: &str) -> Option<Vec<(&'static str, String)>> {
        let allowed = self.allow_origins.as_deref().unwrap_or_default();
        let any = allowed.iter().any(|it| it == ANY);
        if !any && !allowed.iter().any(|it| it.eq_ignore_ascii_case(origin)) {
            return None;
        }
        let credentials = self.allow_credentials == Some(true);
        // Browsers take no `*` where credentials are allowed.
        if any && !credentials {
            return Some(vec![("access-control-allow-origin", ANY.to_owned())]);
        }
        let mut headers =
            vec![("access-control-allow-origin", origin.to_owned()), ("vary", "Origin".to_owned())];
        if credentials {
            headers.push(("access-control-allow-credentials", "true".to_owned()));
        }
        Some(headers)
    }
}

fn listed(names: Option<&[String]>) -> Option<String> {
    names.filter(|names| !names.is_empty()).map(|names| names.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "https://example.com";

    fn list(items: &[&str]) -> Option<Vec<String>> {
        Some(items.iter().map(|&item| item.to_owned()).collect())
    }

    fn cors() -> Cors {
        Cors {
            allow_headers: list(&["x-a", "x-b"]),
            allow_methods: list(&["GET", "POST"]),
            allow_origins: list(&[ORIGIN, "http://localhost:3000"]),
            expose_headers: list(&["x-c"]),
            max_age_seconds: Some(300),
            ..Cors::default()
        }
    }

    fn text(headers: Vec<(&str, String)>) -> Vec<String> {
        headers.into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
    }

    #[test]
    fn a_preflight_names_what_is_allowed() {
        assert_eq!(
            text(cors().preflight(ORIGIN, "POST")),
            [
                "access-control-allow-origin: https://example.com",
                "vary: Origin",
                "access-control-allow-methods: GET,POST",
                "access-control-allow-headers: x-a,x-b",
                "access-control-max-age: 300",
            ]
        );
        assert!(cors().preflight(ORIGIN, "DELETE").is_empty());
        assert!(cors().preflight("https://evil.example", "GET").is_empty());
        assert!(Cors::default().preflight(ORIGIN, "GET").is_empty());
    }

    #[test]
    fn an_answer_names_the_origin_and_what_is_exposed() {
        assert_eq!(
            text(cors().added(ORIGIN)),
            [
                "access-control-allow-origin: https://example.com",
                "vary: Origin",
                "access-control-expose-headers: x-c",
            ]
        );
        assert!(cors().added("https://evil.example").is_empty());
    }

    #[test]
    fn any_origin_is_named_only_to_requests_with_credentials() {
        let any = Cors { allow_origins: list(&["*"]), allow_methods: list(&["*"]), ..cors() };
        assert_eq!(text(any.added(ORIGIN))[0], "access-control-allow-origin: *");
        assert_eq!(text(any.preflight(ORIGIN, "PUT"))[1], "access-control-allow-methods: *");
        let any = Cors { allow_credentials: Some(true), ..any };
        assert_eq!(
            text(any.added(ORIGIN))[..3],
            [
                "access-control-allow-origin: https://example.com",
                "vary: Origin",
                "access-control-allow-credentials: true",
            ]
        );
    }
}
