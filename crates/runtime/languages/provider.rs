//! What serves a runtime, and what it is called in logs. Pure.

use std::path::PathBuf;

use kit::Region;
use sha2::{Digest, Sha256};

use super::{FINDERS, Finder, Language};
use crate::installed::Installed;

/// What serves a runtime.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its language; of installed runtimes `Provided`, since they bring all.
    pub language: Language,
    /// Its version, such as `3.11.7`; of provided runtimes the operating system's name.
    pub version: String,
    /// The interpreter; empty for provided runtimes.
    pub executable: PathBuf,
    /// The folder that holds the interpreter and its library.
    pub prefix: PathBuf,
    /// The base image that serves it, and its tree.
    pub installed: Option<(Installed, PathBuf)>,
    /// Set when it is not the version that was asked for: a warning for the function's log.
    pub warning: Option<String>,
}

impl Provider {
    /// Of a container image.
    pub(crate) fn image() -> Provider {
        Provider::provided("image")
    }

    /// Of a provided runtime, by its operating system.
    pub(super) fn provided(version: &str) -> Provider {
        let (executable, prefix) = Default::default();
        let (language, version) = (Language::Provided, version.to_owned());
        Provider { language, version, executable, prefix, installed: None, warning: None }
    }

    /// Of an installed runtime, by its record and its tree.
    pub(super) fn installed(installed: Installed, root: PathBuf) -> Provider {
        // `python3.13` is `python:3.13`, `provided.al2023` is `provided:al2023`.
        let runtime = installed.runtime.trim_end_matches(".x");
        let family = runtime.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let (family, version) = runtime.split_at(runtime.len() - family.len());
        let version = version.trim_start_matches('.');
        let label = format!("{family}:{version}.{:.12}", installed.digest);
        Provider { installed: Some((installed, root)), ..Provider::provided(&label) }
    }

    /// Whether it has a runtime client of its own: an installed runtime, unless functions of it
    /// bring theirs.
    pub(crate) fn brings_client(&self) -> bool {
        let provided = |installed: &Installed| installed.runtime.starts_with("provided");
        self.installed.as_ref().is_some_and(|(installed, _)| !provided(installed))
    }

    /// `python:3.11.v7`, as INIT_START has it; of an installed runtime `python:3.13.` and the
    /// beginning of its image's digest.
    pub(crate) fn label(&self) -> String {
        if self.installed.is_some() {
            return self.version.clone();
        }
        let finder = FINDERS.iter().find(|finder| finder.language == self.language);
        let Some(Finder { label, runtimes, version, .. }) = finder else {
            return format!("provided:{}.v1", self.version);
        };
        // As many parts as the runtime's name has.
        let dots = |text: &str| text.matches('.').count();
        let parts = runtimes.first().and_then(|runtime| version(runtime)).map_or(0, dots);
        let end = self.version.match_indices('.').nth(parts).map(|(at, _)| at);
        let (major, minor) = end.map_or((self.version.as_str(), "0"), |at| {
            (&self.version[..at], &self.version[at + 1..])
        });
        format!("{label}:{major}.v{minor}")
    }

    /// The runtime version's ARN: it ends with a digest, an installed runtime's with its image's.
    pub(crate) fn arn(&self, region: &Region) -> String {
        let digest = match &self.installed {
            Some((installed, _)) => installed.digest.clone(),
            None => hex::encode(Sha256::digest(self.label())),
        };
        format!("arn:aws:lambda:{region}::runtime:{digest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_lambdas() {
        let label =
            |language, version: &str| Provider { language, ..Provider::provided(version) }.label();
        assert_eq!(label(Language::Python, "3.11.7"), "python:3.11.v7");
        assert_eq!(label(Language::Node, "20.20.2"), "nodejs:20.v20.2");
        assert_eq!(label(Language::Ruby, "3.2.11"), "ruby:3.2.v11");
        assert_eq!(label(Language::Provided, "al2023"), "provided:al2023.v1");
    }

    #[test]
    fn an_installed_runtime_is_named_by_its_image() {
        let label = |runtime: &str| {
            let installed = Installed {
                runtime: runtime.into(),
                image: String::new(),
                resolved: String::new(),
                digest: "0123456789abcdef".into(),
                layers: Vec::new(),
                environment: Default::default(),
            };
            Provider::installed(installed, PathBuf::new()).label()
        };
        assert_eq!(label("python3.13"), "python:3.13.0123456789ab");
        assert_eq!(label("nodejs22.x"), "nodejs:22.0123456789ab");
        assert_eq!(label("java8.al2"), "java:8.al2.0123456789ab");
        assert_eq!(label("provided.al2023"), "provided:al2023.0123456789ab");
    }
}
