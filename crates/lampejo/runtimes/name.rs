//! Names of runtimes, and which of AWS's base images is which.

use std::{fmt, str::FromStr};

/// The registry of AWS's base images.
const BASE_IMAGES: &str = "public.ecr.aws/lambda";

/// The name of one of Lambda's runtimes, as `Runtime` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Runtime {
    name: String,
    repository: &'static str,
    tag: String,
}

impl Runtime {
    /// The base image that AWS publishes of it: the newest of its version.
    pub(super) fn base_image(&self) -> String {
        format!("{BASE_IMAGES}/{}:{}", self.repository, self.tag)
    }

    /// Whether functions bring their own runtime client.
    pub(super) fn is_provided(&self) -> bool {
        self.repository == "provided"
    }

    pub(super) fn as_str(&self) -> &str {
        &self.name
    }
}

impl FromStr for Runtime {
    type Err = String;

    fn from_str(name: &str) -> Result<Runtime, String> {
        const REPOSITORIES: [&str; 6] = ["python", "nodejs", "java", "ruby", "dotnet", "provided"];
        let refused = || {
            format!("{name:?} is no runtime: python3.13, nodejs22.x, java21, ruby3.4, dotnet8, …")
        };
        let found = REPOSITORIES.iter().find_map(|it| Some((*it, name.strip_prefix(it)?)));
        let (repository, version) = found.ok_or_else(refused)?;
        let tag = match repository {
            "nodejs" => version.strip_suffix(".x"),
            "provided" => version.strip_prefix('.'),
            _ => Some(version).filter(|version| version.starts_with(|c: char| c.is_ascii_digit())),
        };
        let plain = |tag: &&str| {
            !tag.is_empty() && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
        };
        let tag = tag.filter(plain).ok_or_else(refused)?.to_owned();
        Ok(Runtime { name: name.to_owned(), repository, tag })
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_runtime_has_its_base_image() {
        let image = |name: &str| name.parse::<Runtime>().unwrap().base_image();
        assert_eq!(image("python3.13"), "public.ecr.aws/lambda/python:3.13");
        assert_eq!(image("nodejs22.x"), "public.ecr.aws/lambda/nodejs:22");
        assert_eq!(image("java8.al2"), "public.ecr.aws/lambda/java:8.al2");
        assert_eq!(image("dotnet8"), "public.ecr.aws/lambda/dotnet:8");
        assert_eq!(image("provided.al2023"), "public.ecr.aws/lambda/provided:al2023");
    }

    #[test]
    fn what_is_no_runtime_is_refused() {
        for name in ["", "python", "nodejs22", "perl5", "python3/../x", "provided", "provided."] {
            assert!(name.parse::<Runtime>().is_err(), "{name}");
        }
    }
}
