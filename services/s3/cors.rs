//! Cross-origin requests: which rule of a bucket allows one, and what the browser is told.

use s3s::dto;

use crate::{Error, limits};

/// What a browser asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) origin: &'a str,
    pub(crate) method: &'a str,
    /// `Access-Control-Request-Headers` of a preflight.
    pub(crate) headers: Option<&'a str>,
}

/// The headers of the answer if a rule allows the question.
pub(crate) fn answer(
    rules: &[dto::CORSRule],
    question: Question<'_>,
) -> Option<Vec<(&'static str, String)>> {
    let rule = rules.iter().find(|rule| allows(rule, question))?;
    let any = rule.allowed_origins.iter().any(|origin| origin == "*");
    let origin = if any { "*" } else { question.origin };
    let mut headers = vec![("access-control-allow-origin", origin.to_owned())];
    headers.push(("access-control-allow-methods", rule.allowed_methods.join(", ")));
    if let Some(asked) = question.headers {
        headers.push(("access-control-allow-headers", asked.to_ascii_lowercase()));
    }
    if let Some(exposed) = rule.expose_headers.as_ref().filter(|exposed| !exposed.is_empty()) {
        headers.push(("access-control-expose-headers", exposed.join(", ")));
    }
    if let Some(seconds) = rule.max_age_seconds {
        headers.push(("access-control-max-age", seconds.to_string()));
    }
    if !any {
        headers.push(("access-control-allow-credentials", "true".to_owned()));
    }
    let vary = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";
    headers.push(("vary", vary.to_owned()));
    Some(headers)
}

fn allows(rule: &dto::CORSRule, question: Question<'_>) -> bool {
    let origin = rule.allowed_origins.iter().any(|allowed| matches(allowed, question.origin));
    let method = rule.allowed_methods.iter().any(|allowed| allowed == question.method);
    let asked = question.headers.unwrap_or_default().split(',').map(str::trim);
    let headers = asked.filter(|asked| !asked.is_empty()).all(|asked| {
        let asked = asked.to_ascii_lowercase();
        let mut allowed = rule.allowed_headers.iter().flatten();
        allowed.any(|allowed| matches(&allowed.to_ascii_lowercase(), &asked))
    });
    origin && method && headers
}

/// A pattern has at most one `*`.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((front, back)) => {
            text.len() >= front.len() + back.len()
                && text.starts_with(front)
                && text.ends_with(back)
        }
    }
}

/// Checks a configuration.
pub(crate) fn check(rules: &[dto::CORSRule]) -> Result<(), Error> {
    if rules.is_empty() || rules.len() > limits::CORS_RULES {
        return Err(Error::MalformedXML {});
    }
    for rule in rules {
        for method in &rule.allowed_methods {
            if !["GET", "PUT", "POST", "DELETE", "HEAD"].contains(&method.as_str()) {
                return Err(Error::request(format!(
                    "Found unsupported HTTP method in CORS config. Unsupported method is {method}"
                )));
            }
        }
        if rule.allowed_methods.is_empty() || rule.allowed_origins.is_empty() {
            return Err(Error::MalformedXML {});
        }
        let many = |text: &&String| text.matches('*').count() > 1;
        if let Some(origin) = rule.allowed_origins.iter().find(many) {
            return Err(Error::request(format!(
                "AllowedOrigin \"{origin}\" can not have more than one wildcard."
            )));
        }
        if let Some(header) = rule.allowed_headers.iter().flatten().find(many) {
            return Err(Error::request(format!(
                "AllowedHeader \"{header}\" can not have more than one wildcard."
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(origin: &str) -> dto::CORSRule {
        dto::CORSRule {
            allowed_headers: Some(vec!["x-amz-*".to_owned()]),
            allowed_methods: vec!["GET".to_owned()],
            allowed_origins: vec![origin.to_owned()],
            expose_headers: Some(vec!["ETag".to_owned()]),
            id: None,
            max_age_seconds: Some(30),
        }
    }

    #[test]
    fn a_rule_allows_what_its_patterns_match() {
        let rules = [rule("https://*.example.com")];
        let ask = |origin, method, headers| {
            answer(&rules, Question { origin, method, headers }).is_some()
        };
        assert!(ask("https://a.example.com", "GET", Some("X-Amz-Date, x-amz-user-agent")));
        assert!(!ask("https://example.org", "GET", None));
        assert!(!ask("https://a.example.com", "PUT", None));
        assert!(!ask("https://a.example.com", "GET", Some("authorization")));
    }

    #[test]
    fn any_origin_gets_no_credentials() {
        let question = Question { origin: "https://a", method: "GET", headers: None };
        let headers = answer(&[rule("*")], question).unwrap();
        assert_eq!(headers[0], ("access-control-allow-origin", "*".to_owned()));
        assert!(headers.iter().all(|header| header.0 != "access-control-allow-credentials"));
        assert!(check(&[rule("https://*.*.com")]).is_err());
        assert!(check(&[rule("*")]).is_ok());
    }
}
