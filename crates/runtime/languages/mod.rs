//! What serves a runtime. A function's `Runtime` is served by a host interpreter of exactly that
//! version: from the PATH, the usual folders, or a version manager. The interpreter itself is asked
//! where it lives; the answer is kept. Else by an installed runtime (see `installed`), or, if the
//! settings say so, by the nearest version.
//!
//! Read next: `provider`; one file per language, which says where its interpreters may be and how they
//! are asked; `advice` (what is said of a runtime that is missing).

mod advice;
mod java;
mod node;
mod provider;
mod python;
mod ruby;

pub use provider::Provider;

use std::{
    collections::{HashMap, HashSet},
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, MutexGuard},
};

use crate::{
    bootstrap::Bootstraps, config::RuntimeFinding, function::RuntimeError,
    installed::Installations, java as jvm,
};

/// What a function's runtime is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// `python3.13`.
    Python,
    /// `nodejs22.x`.
    Node,
    /// `java21`.
    Java,
    /// `ruby3.4`.
    Ruby,
    /// `provided.al2023`: the function brings its own `bootstrap`. Or an image, which brings all.
    Provided,
}

/// How the interpreters of a language are found.
struct Finder {
    language: Language,
    /// What runtimes are called in their version ARNs.
    label: &'static str,
    /// Its runtimes, oldest first.
    runtimes: &'static [&'static str],
    /// What would be runtimes of older versions: the nearest may be one of them.
    older: &'static [&'static str],
    /// The version that a runtime's name asks for: `3.13` of `python3.13`.
    version: fn(&str) -> Option<&str>,
    /// Where an interpreter of a version may be, likeliest first.
    candidates: fn(&str) -> Vec<PathBuf>,
    /// Asks an interpreter where it lives; `None` if it does not answer.
    ask: fn(&Path, &Bootstraps) -> Option<Answer>,
    /// Commands by which a version gets onto a machine.
    advice: fn(&str) -> String,
}

/// What an interpreter says of itself.
struct Answer {
    executable: PathBuf,
    version: String,
    prefix: PathBuf,
}

const FINDERS: [&Finder; 4] = [&python::FINDER, &node::FINDER, &java::FINDER, &ruby::FINDER];

const PROVIDED: [&str; 3] = ["provided", "provided.al2", "provided.al2023"];

/// Runtimes that no interpreter of the machine serves.
const BY_IMAGE_ONLY: [&str; 3] = ["dotnet6", "dotnet8", "dotnet10"];

/// Which of those that could serve a runtime does.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Preference {
    /// A runtime that is missing is served by the nearest version there is.
    pub(crate) nearest: bool,
    /// Installed runtimes go before interpreters of the machine.
    pub(crate) installed_first: bool,
}

/// Finds providers, and remembers interpreters.
pub(crate) struct Languages {
    preference: Preference,
    bootstraps: Bootstraps,
    /// None where there is no sandbox for them.
    installations: Option<Installations>,
    interpreters: Mutex<HashMap<String, Known>>,
}

/// What the machine was found to have for a runtime.
#[derive(Clone)]
enum Known {
    Exact(Arc<Provider>),
    Nearest(Arc<Provider>),
    /// Nothing, and an installed runtime serves: interpreters are not asked again at every start.
    Missing,
}

impl Languages {
    pub(crate) fn new(
        preference: Preference,
        bootstraps: Bootstraps,
        installations: Option<Installations>,
    ) -> Languages {
        Languages { preference, bootstraps, installations, interpreters: Mutex::default() }
    }

    /// What serves the runtime, ready to start: a host interpreter of exactly that version, an
    /// installed runtime, or the nearest version. May start an interpreter the first time, and wait
    /// for it.
    pub(crate) fn provider(&self, runtime: &str) -> Result<Arc<Provider>, RuntimeError> {
        let provider = self.found(runtime)?;
        if provider.language == Language::Java {
            jvm::prepare(&self.bootstraps.java, &provider)?;
        }
        Ok(provider)
    }

    fn found(&self, runtime: &str) -> Result<Arc<Provider>, RuntimeError> {
        // No host has what makes a provided runtime AWS's: its operating system.
        let first = self.preference.installed_first || PROVIDED.contains(&runtime);
        if let Some(installed) = first.then(|| self.installed(runtime)).flatten() {
            return Ok(Arc::new(installed));
        }
        let known = self.known(runtime);
        if let Some(Known::Exact(exact)) = known {
            return Ok(exact);
        }
        if known.is_none()
            && let Some(exact) = self.exact(runtime)
        {
            return Ok(self.remember(runtime, exact, Known::Exact));
        }
        if let Some(installed) = self.installed(runtime) {
            if known.is_none() {
                self.interpreters().insert(runtime.to_owned(), Known::Missing);
            }
            return Ok(Arc::new(installed));
        }
        if let Some(Known::Nearest(nearest)) = known {
            return Ok(nearest);
        }
        Ok(self.remember(runtime, self.nearest(runtime)?, Known::Nearest))
    }

    /// Every runtime, and what serves it or how to get it.
    pub(crate) fn all(&self) -> Vec<RuntimeFinding> {
        let hosted = FINDERS.iter().flat_map(|finder| finder.runtimes);
        let named = hosted.chain(&BY_IMAGE_ONLY).chain(&PROVIDED).copied();
        let served = |runtime| self.found(runtime).map_err(|_| advice::ways(runtime));
        named.map(|runtime| RuntimeFinding { runtime, served: served(runtime) }).collect()
    }

    fn interpreters(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.interpreters.lock().expect("nothing panics while it holds this lock")
    }

    fn known(&self, runtime: &str) -> Option<Known> {
        self.interpreters().get(runtime).cloned()
    }

    fn remember(
        &self,
        runtime: &str,
        provider: Provider,
        known: fn(Arc<Provider>) -> Known,
    ) -> Arc<Provider> {
        let provider = Arc::new(provider);
        self.interpreters().insert(runtime.to_owned(), known(provider.clone()));
        provider
    }

    /// Asked each time: it is installed and removed while the server runs.
    fn installed(&self, runtime: &str) -> Option<Provider> {
        let installations = self.installations.as_ref()?;
        let installed = installations.find(runtime)?;
        let root = installations.root(&installed.digest);
        Some(Provider::installed(installed, root))
    }

    fn exact(&self, runtime: &str) -> Option<Provider> {
        if PROVIDED.contains(&runtime) {
            return Some(Provider::provided(runtime.strip_prefix("provided.").unwrap_or("al2")));
        }
        let (finder, version) = finder(runtime)?;
        self.interpreter(finder, version)
    }

    fn nearest(&self, runtime: &str) -> Result<Provider, RuntimeError> {
        let found = finder(runtime).filter(|_| self.preference.nearest);
        let nearest = found.and_then(|(finder, wanted)| self.beside(finder, wanted));
        let mut provider =
            nearest.ok_or_else(|| RuntimeError::NoInterpreter(advice::missing(runtime)))?;
        provider.warning = Some(format!(
            "[lampejo] WARNING: there is no {runtime} on this machine; this function runs with {} {}\n",
            provider.executable.display(),
            provider.version
        ));
        Ok(provider)
    }

    fn beside(&self, finder: &Finder, wanted: &str) -> Option<Provider> {
        let runtimes = finder.older.iter().chain(finder.runtimes);
        let mut versions: Vec<_> =
            runtimes.filter_map(|name| (finder.version)(name)).enumerate().collect();
        let (wanted, _) = *versions.iter().find(|(_, version)| *version == wanted)?;
        // A newer one before an older one that is as near.
        versions.sort_by_key(|(place, _)| (place.abs_diff(wanted), *place < wanted));
        versions.into_iter().find_map(|(_, version)| self.interpreter(finder, version))
    }

    /// One of exactly that version.
    fn interpreter(&self, finder: &Finder, wanted: &str) -> Option<Provider> {
        let mut seen = HashSet::new();
        let paths = (finder.candidates)(wanted).into_iter();
        let paths = paths.filter(|path| path.is_file() && seen.insert(path.clone()));
        let mut answers = paths.filter_map(|path| (finder.ask)(&path, &self.bootstraps));
        let fits =
            |version: &str| version.strip_prefix(wanted).is_some_and(|it| it.starts_with('.'));
        let Answer { executable, version, prefix } = answers.find(|it| fits(&it.version))?;
        let (language, installed, warning) = (finder.language, None, None);
        Some(Provider { language, version, executable, prefix, installed, warning })
    }
}

fn finder(runtime: &str) -> Option<(&'static Finder, &str)> {
    FINDERS.into_iter().find_map(|finder| Some((finder, (finder.version)(runtime)?)))
}

/// Programs of this name on the PATH and in the usual folders.
fn on_path(name: &str) -> impl Iterator<Item = PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    let usual = ["/usr/bin", "/usr/local/bin"].map(PathBuf::from);
    folders.into_iter().chain(usual).map(move |folder| folder.join(name))
}

/// Programs in the folders of a version manager, which keeps each version in one whose name starts
/// with `start`.
fn managed(versions: &Path, start: &str, program: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(versions).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name());
    let fitting = names.filter(|name| name.to_string_lossy().starts_with(start));
    fitting.map(|name| versions.join(name).join(program)).collect()
}

/// Where asdf and mise keep the versions of a tool.
fn installs(tool: &str) -> [PathBuf; 2] {
    let asdf = own_folder("ASDF_DATA_DIR", ".asdf").join("installs").join(tool);
    // The one says nodejs, the other node.
    let mise = own_folder("MISE_DATA_DIR", ".local/share/mise");
    [asdf, mise.join("installs").join(tool.trim_end_matches("js"))]
}

/// The folder that a variable names, or one in the user's home.
fn own_folder(variable: &str, at_home: &str) -> PathBuf {
    env::var_os(variable).map_or_else(|| in_home(at_home), PathBuf::from)
}

fn in_home(path: &str) -> PathBuf {
    env::var_os("HOME").map(PathBuf::from).unwrap_or_default().join(path)
}

/// What a program says, a line each. It is not there often enough for its error to be of no interest.
fn lines(command: &mut Command) -> Option<Vec<String>> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    Some(said.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn languages() -> Languages {
        Languages::new(Preference::default(), Bootstraps::default(), None)
    }

    #[test]
    fn runtimes_come_apart() {
        let split = |runtime| finder(runtime).map(|(finder, version)| (finder.language, version));
        assert_eq!(split("python3.13"), Some((Language::Python, "3.13")));
        assert_eq!(split("nodejs22.x"), Some((Language::Node, "22")));
        assert_eq!(split("java8.al2"), Some((Language::Java, "8")));
        assert_eq!(split("java21"), Some((Language::Java, "21")));
        assert_eq!(split("ruby3.4"), Some((Language::Ruby, "3.4")));
        for unknown in ["python2.7", "python3.x", "nodejs", "java", "java17.x", "provided.al9", ""]
        {
            assert_eq!(split(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn version_managers_are_asked_for_the_version() {
        let versions = tempfile::tempdir().unwrap();
        for version in ["3.2.9", "3.20.0", "jruby-3.2.1"] {
            fs::create_dir(versions.path().join(version)).unwrap();
        }
        let found = managed(versions.path(), "3.2.", "bin/ruby");
        assert_eq!(found, [versions.path().join("3.2.9/bin/ruby")]);
        assert!(managed(&versions.path().join("absent"), "3.2.", "bin/ruby").is_empty());
    }

    #[test]
    fn provided_runtimes_need_no_interpreter() {
        let version = |runtime| Some(languages().provider(runtime).ok()?.version.clone());
        assert_eq!(version("provided.al2023").as_deref(), Some("al2023"));
        assert_eq!(version("provided").as_deref(), Some("al2"));
        assert_eq!(version("provided.al9"), None);
    }

    #[test]
    fn what_is_missing_is_said_with_the_way_to_get_it() {
        let text = languages().provider("python3.99").unwrap_err().to_string();
        assert!(text.contains("uv python install 3.99"), "{text}");
        let text = languages().provider("java99").unwrap_err().to_string();
        assert!(text.contains("openjdk-99-jdk-headless"), "{text}");
    }
}
