//! Which interpreter serves a runtime. A function's `Runtime` is served by a host interpreter of
//! exactly that version: from the PATH, the usual folders, or a version manager. The interpreter
//! itself is asked where it lives; the answer is kept.
//!
//! Read next: one file per language, which says where its interpreters may be and how they are asked.

mod node;
mod python;
mod ruby;

use std::{
    collections::HashMap,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use crate::{bootstrap::Bootstraps, function::RuntimeError};

/// What a function's runtime is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// `python3.13`.
    Python,
    /// `nodejs22.x`.
    Node,
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
    /// How a version gets onto a machine.
    advice: fn(&str) -> String,
}

/// What an interpreter says of itself.
struct Answer {
    executable: PathBuf,
    version: String,
    prefix: PathBuf,
}

const FINDERS: [&Finder; 3] = [&python::FINDER, &node::FINDER, &ruby::FINDER];

const PROVIDED: [&str; 3] = ["provided", "provided.al2", "provided.al2023"];

/// What serves a runtime.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its language.
    pub language: Language,
    /// Its version, such as `3.11.7`; of provided runtimes the operating system's name.
    pub version: String,
    /// The interpreter; empty for provided runtimes.
    pub executable: PathBuf,
    /// The folder that holds the interpreter and its library.
    pub prefix: PathBuf,
    /// Set when it is not the version that was asked for: a warning for the function's log.
    pub warning: Option<String>,
}

impl Provider {
    /// Of a container image.
    pub(crate) fn image() -> Provider {
        Provider::provided("image")
    }

    fn provided(version: &str) -> Provider {
        let (executable, prefix) = Default::default();
        let version = version.to_owned();
        Provider { language: Language::Provided, version, executable, prefix, warning: None }
    }

    /// `python:3.11.v7`, as INIT_START has it.
    pub(crate) fn label(&self) -> String {
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
}

/// Finds providers, and remembers them.
pub(crate) struct Languages {
    nearest: bool,
    bootstraps: Bootstraps,
    found: Mutex<HashMap<String, Arc<Provider>>>,
}

impl Languages {
    /// With `nearest`, a runtime that is missing is served by the nearest version there is.
    pub(crate) fn new(nearest: bool, bootstraps: Bootstraps) -> Languages {
        Languages { nearest, bootstraps, found: Mutex::default() }
    }

    /// What serves the runtime. May start an interpreter the first time, and wait for it.
    pub(crate) fn provider(&self, runtime: &str) -> Result<Arc<Provider>, RuntimeError> {
        let known = self.found.lock().expect("nothing panics while it holds this lock");
        if let Some(provider) = known.get(runtime) {
            return Ok(provider.clone());
        }
        drop(known);
        let provider = Arc::new(self.find(runtime)?);
        let mut known = self.found.lock().expect("nothing panics while it holds this lock");
        known.insert(runtime.to_owned(), provider.clone());
        Ok(provider)
    }

    /// The runtimes that this machine can run.
    pub(crate) fn all(&self) -> Vec<(&'static str, Arc<Provider>)> {
        let named = FINDERS.iter().flat_map(|finder| finder.runtimes).chain(&PROVIDED);
        named.filter_map(|name| Some((*name, self.provider(name).ok()?))).collect()
    }

    fn find(&self, runtime: &str) -> Result<Provider, RuntimeError> {
        if PROVIDED.contains(&runtime) {
            let system = runtime.strip_prefix("provided.").unwrap_or("al2");
            return Ok(Provider::provided(system));
        }
        let (finder, version) = finder(runtime).ok_or_else(|| {
            let text = "lampejo runs python3.x, nodejs, ruby and provided runtimes; \
                        compiled languages run as provided.al2023";
            RuntimeError::NoInterpreter(format!("the runtime {runtime} is not supported: {text}"))
        })?;
        if let Some(provider) = self.exactly(finder, version) {
            return Ok(provider);
        }
        let nearest = if self.nearest { self.nearest(finder, version) } else { None };
        let mut provider = nearest
            .ok_or_else(|| RuntimeError::NoInterpreter(missing(finder, runtime, version)))?;
        provider.warning = Some(format!(
            "[lampejo] WARNING: there is no {runtime} on this machine; this function runs with {} {}\n",
            provider.executable.display(),
            provider.version
        ));
        Ok(provider)
    }

    fn exactly(&self, finder: &Finder, version: &str) -> Option<Provider> {
        let mut there = (finder.candidates)(version).into_iter().filter(|path| path.is_file());
        there.find_map(|path| self.ask(finder, version, &path))
    }

    fn nearest(&self, finder: &Finder, wanted: &str) -> Option<Provider> {
        let runtimes = finder.older.iter().chain(finder.runtimes);
        let mut versions: Vec<_> =
            runtimes.filter_map(|name| (finder.version)(name)).enumerate().collect();
        let (wanted, _) = *versions.iter().find(|(_, version)| *version == wanted)?;
        // A newer one before an older one that is as near.
        versions.sort_by_key(|(place, _)| (place.abs_diff(wanted), *place < wanted));
        versions.into_iter().find_map(|(_, version)| self.exactly(finder, version))
    }

    /// `None` if the interpreter is not of that version.
    fn ask(&self, finder: &Finder, wanted: &str, path: &Path) -> Option<Provider> {
        let Answer { executable, version, prefix } = (finder.ask)(path, &self.bootstraps)?;
        let fits = version.strip_prefix(wanted)?.starts_with('.');
        let language = finder.language;
        fits.then_some(Provider { language, version, executable, prefix, warning: None })
    }
}

fn finder(runtime: &str) -> Option<(&'static Finder, &str)> {
    FINDERS.into_iter().find_map(|finder| Some((finder, (finder.version)(runtime)?)))
}

fn missing(finder: &Finder, runtime: &str, version: &str) -> String {
    let advice = (finder.advice)(version);
    format!(
        "there is no interpreter for {runtime} on this machine: {advice}, \
         or set nearest_runtime to run it with the nearest version"
    )
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

/// The folder that a variable names, or one in the user's home.
fn own_folder(variable: &str, in_home: &str) -> PathBuf {
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    env::var_os(variable).map_or_else(|| home.join(in_home), PathBuf::from)
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
        let [python, node, ruby] = Default::default();
        Languages::new(false, Bootstraps { python, node, ruby })
    }

    #[test]
    fn runtimes_come_apart() {
        let split = |runtime| finder(runtime).map(|(finder, version)| (finder.language, version));
        assert_eq!(split("python3.13"), Some((Language::Python, "3.13")));
        assert_eq!(split("nodejs22.x"), Some((Language::Node, "22")));
        assert_eq!(split("ruby3.4"), Some((Language::Ruby, "3.4")));
        for unknown in ["python2.7", "python3.x", "nodejs", "java21", "provided.al9", ""] {
            assert_eq!(split(unknown), None, "{unknown}");
        }
    }

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
        let text = languages().provider("java21").unwrap_err().to_string();
        assert!(text.contains("provided.al2023"), "{text}");
    }
}
