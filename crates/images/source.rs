//! What an image's name means: which registry is asked, and how. Pure.

use oci_client::Reference;

use crate::{Error, Settings};

/// How the hosts of ECR end, after account and region.
const ECR_ENDS: [&str; 2] = [".amazonaws.com", ".amazonaws.com.cn"];

/// An image's name, taken apart.
pub(crate) struct Source {
    /// As users see it.
    name: Reference,
    /// Where it is fetched: another registry if the name is ECR's and a setting stands for it.
    pub(crate) place: Reference,
    /// Whether its registry speaks HTTP without TLS.
    pub(crate) plain: bool,
}

impl Source {
    pub(crate) fn parse(name: &str, settings: &Settings) -> Result<Source, Error> {
        let parsed: Reference = name.parse().map_err(|_| Error::Name(name.to_owned()))?;
        let place = match &settings.ecr {
            Some(registry) if is_ecr(parsed.registry()) => moved(&parsed, registry),
            _ => parsed.clone(),
        };
        let registry = place.registry();
        let plain = is_loopback(registry)
            || settings.insecure_registries.iter().any(|insecure| insecure == registry);
        Ok(Source { name: parsed, place, plain })
    }

    /// The name with a digest in place of the tag.
    pub(crate) fn resolved(&self, digest: &str) -> String {
        format!("{}/{}@sha256:{digest}", self.name.registry(), self.name.repository())
    }
}

/// `ACCOUNT.dkr.ecr.REGION.amazonaws.com`
fn is_ecr(registry: &str) -> bool {
    let account = registry.split_once(".dkr.ecr.").map(|(account, _)| account);
    let digits = |account: &str| account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    account.is_some_and(digits) && ECR_ENDS.iter().any(|end| registry.ends_with(end))
}

fn moved(name: &Reference, registry: &str) -> Reference {
    let (registry, repository) = (registry.to_owned(), name.repository().to_owned());
    match (name.digest(), name.tag()) {
        (Some(digest), _) => Reference::with_digest(registry, repository, digest.to_owned()),
        (None, tag) => {
            Reference::with_tag(registry, repository, tag.unwrap_or("latest").to_owned())
        }
    }
}

fn is_loopback(registry: &str) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str) -> Source {
        let settings = Settings {
            ecr: Some("127.0.0.1:5000".to_owned()),
            insecure_registries: vec!["plain.example:80".to_owned()],
            ..Settings::default()
        };
        Source::parse(name, &settings).unwrap()
    }

    #[test]
    fn an_ecr_name_is_fetched_where_the_setting_says() {
        let source = parse("123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1");
        assert_eq!(source.place.to_string(), "127.0.0.1:5000/team/app:v1");
        assert!(source.plain);
        assert_eq!(
            source.resolved("ab"),
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app@sha256:ab"
        );
        let digest = format!("sha256:{}", "a".repeat(64));
        let source = parse(&format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/app@{digest}"));
        assert_eq!(source.place.to_string(), format!("127.0.0.1:5000/app@{digest}"));
        assert_eq!(
            parse("12.dkr.ecr.x.amazonaws.com/app").place.registry(),
            "12.dkr.ecr.x.amazonaws.com"
        );
    }

    #[test]
    fn only_loopback_and_named_registries_go_without_tls() {
        for plain in ["127.0.0.1:5000/a", "localhost:5000/a:b", "plain.example:80/a"] {
            assert!(parse(plain).plain, "{plain}");
        }
        for secure in ["public.ecr.aws/lambda/python:3.13", "plain.example/a", "127.example/a"] {
            assert!(!parse(secure).plain, "{secure}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in ["", "host.example/UPPER", "host/a b", "host/a@sha256:12"] {
            assert!(Source::parse(name, &Settings::default()).is_err(), "{name}");
        }
    }
}
