//! Which interpreter serves a runtime. A function's `Runtime` is served by a host interpreter of
//! exactly that version: from the PATH, the usual folders, or a version manager. The interpreter
//! itself is asked where it lives; the answer is kept.

use std::{
    collections::HashMap,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use crate::function::RuntimeError;

/// What a function's runtime is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// `python3.13`.
    Python,
    /// `nodejs22.x`.
    Node,
    /// `provided.al2023`: the function brings its own `bootstrap`. Or an image, which brings all.
    Provided,
}

/// The runtimes that can be served, given an interpreter.
const KNOWN: [&str; 17] = [
    "python3.9",
    "python3.10",
    "python3.11",
    "python3.12",
    "python3.13",
    "python3.14",
    "python3.15",
    "nodejs16.x",
    "nodejs18.x",
    "nodejs20.x",
    "nodejs22.x",
    "nodejs24.x",
    "nodejs26.x",
    "provided",
    "provided.al2",
    "provided.al2023",
    "python3.8",
];

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
        let (executable, prefix) = Default::default();
        let version = "image".to_owned();
        Provider { language: Language::Provided, version, executable, prefix, warning: None }
    }

    /// `python:3.11.v7`, as INIT_START has it.
    pub(crate) fn label(&self) -> String {
        let (language, version) = match self.language {
            Language::Provided => return format!("provided:{}.v1", self.version),
            Language::Python => ("python", self.version.rsplit_once('.')),
            Language::Node => ("nodejs", self.version.split_once('.')),
        };
        let (major, minor) = version.unwrap_or((&self.version, "0"));
        format!("{language}:{major}.v{minor}")
    }
}

/// Finds providers, and remembers them.
pub(crate) struct Languages {
    nearest: bool,
    python_bootstrap: PathBuf,
    found: Mutex<HashMap<String, Arc<Provider>>>,
}

impl Languages {
    /// With `nearest`, a runtime that is missing is served by the nearest version there is.
    pub(crate) fn new(nearest: bool, python_bootstrap: PathBuf) -> Languages {
        Languages { nearest, python_bootstrap, found: Mutex::default() }
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
        KNOWN.iter().filter_map(|name| Some((*name, self.provider(name).ok()?))).collect()
    }

    fn find(&self, runtime: &str) -> Result<Provider, RuntimeError> {
        let (language, version) = split(runtime).ok_or_else(|| {
            let text = "lampejo runs python3.x, nodejs and provided runtimes; \
                        compiled languages run as provided.al2023";
            RuntimeError::NoInterpreter(format!("the runtime {runtime} is not supported: {text}"))
        })?;
        if language == Language::Provided {
            let version = if version.is_empty() { "al2" } else { version }.to_owned();
            let (executable, prefix) = Default::default();
            return Ok(Provider { language, version, executable, prefix, warning: None });
        }
        if let Some(provider) = self.exactly(language, version) {
            return Ok(provider);
        }
        let nearest = if self.nearest { self.nearest(language, version) } else { None };
        let mut provider = nearest
            .ok_or_else(|| RuntimeError::NoInterpreter(missing(language, runtime, version)))?;
        provider.warning = Some(format!(
            "[lampejo] WARNING: there is no {runtime} on this machine; this function runs with {} {}\n",
            provider.executable.display(),
            provider.version
        ));
        Ok(provider)
    }

    fn exactly(&self, language: Language, version: &str) -> Option<Provider> {
        candidates(language, version).iter().find_map(|path| self.ask(language, version, path))
    }

    fn nearest(&self, language: Language, version: &str) -> Option<Provider> {
        let number = |version: &str| version.rsplit('.').next()?.parse::<i32>().ok();
        let wanted = number(version)?;
        let known = KNOWN.iter().filter_map(|name| split(name)).filter(|(l, _)| *l == language);
        let mut versions: Vec<&str> = known.map(|(_, version)| version).collect();
        // A newer one before an older one that is as near.
        versions.sort_by_key(|version| {
            let distance = number(version).unwrap_or_default() - wanted;
            (distance.abs(), distance < 0)
        });
        versions.into_iter().find_map(|version| self.exactly(language, version))
    }

    /// Asks an interpreter where it lives; `None` if it is not there or not of that version.
    fn ask(&self, language: Language, version: &str, path: &Path) -> Option<Provider> {
        let mut command = Command::new(path);
        match language {
            Language::Python => {
                command.args(["-I", "-S", "-c", ASK_PYTHON]).arg(&self.python_bootstrap)
            }
            _ => command.args(["-p", "process.execPath + '\\n' + process.versions.node"]),
        };
        let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        let answer = String::from_utf8(output.stdout).ok()?;
        let mut lines = answer.lines();
        let executable = fs::canonicalize(lines.next()?).ok()?;
        let found = lines.next()?.to_owned();
        let prefix = match lines.next() {
            Some(prefix) => PathBuf::from(prefix),
            None => executable.parent()?.parent()?.to_owned(),
        };
        let fits = found.strip_prefix(version)?.starts_with('.');
        let warning = None;
        fits.then_some(Provider { language, version: found, executable, prefix, warning })
    }
}

/// Also compiles our bootstrap, so that no instance of this version has to.
const ASK_PYTHON: &str = "
import sys
print(sys.executable)
print('%d.%d.%d' % sys.version_info[:3])
print(sys.base_prefix)
import compileall
compileall.compile_dir(sys.argv[1], quiet=2)
";

fn split(runtime: &str) -> Option<(Language, &str)> {
    if let Some(version) = runtime.strip_prefix("python") {
        let minor = version.strip_prefix("3.")?;
        return minor.parse::<u32>().ok().map(|_| (Language::Python, version));
    }
    if let Some(version) = runtime.strip_prefix("nodejs") {
        let major = version.strip_suffix(".x")?;
        return major.parse::<u32>().ok().map(|_| (Language::Node, major));
    }
    match runtime.strip_prefix("provided")? {
        "" => Some((Language::Provided, "")),
        ".al2" => Some((Language::Provided, "al2")),
        ".al2023" => Some((Language::Provided, "al2023")),
        _ => None,
    }
}

fn missing(language: Language, runtime: &str, version: &str) -> String {
    let how = match language {
        Language::Python => format!(
            "install it, for example with `uv python install {version}` or `pyenv install {version}`"
        ),
        _ => format!("install it, for example with `nvm install {version}`"),
    };
    format!(
        "there is no interpreter for {runtime} on this machine: {how}, \
         or set nearest_runtime to run it with the nearest version"
    )
}

/// Where an interpreter may be, likeliest first.
fn candidates(language: Language, version: &str) -> Vec<PathBuf> {
    let name = match language {
        Language::Python => format!("python{version}"),
        _ => "node".to_owned(),
    };
    let path = env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/bin", "/usr/local/bin"].map(PathBuf::from);
    let mut found: Vec<PathBuf> =
        env::split_paths(&path).chain(usual).map(|folder| folder.join(&name)).collect();
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let pyenv = env::var_os("PYENV_ROOT").map_or_else(|| home.join(".pyenv"), PathBuf::from);
    let managed = match language {
        Language::Python => vec![
            (pyenv.join("versions"), format!("{version}.")),
            (home.join(".local/share/uv/python"), format!("cpython-{version}.")),
        ],
        _ => vec![(home.join(".nvm/versions/node"), format!("v{version}."))],
    };
    for (folder, start) in managed {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        let names = entries.flatten().map(|entry| entry.file_name());
        let fitting = names.filter(|found| found.to_string_lossy().starts_with(&start));
        found.extend(fitting.map(|version| folder.join(version).join("bin").join(&name)));
    }
    found.retain(|path| path.is_file());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtimes_come_apart() {
        assert_eq!(split("python3.13"), Some((Language::Python, "3.13")));
        assert_eq!(split("nodejs22.x"), Some((Language::Node, "22")));
        assert_eq!(split("provided.al2023"), Some((Language::Provided, "al2023")));
        for unknown in ["python2.7", "python3.x", "nodejs", "java21", "provided.al9", ""] {
            assert_eq!(split(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn labels_are_lambdas() {
        let label = |language, version: &str| {
            let (executable, prefix) = Default::default();
            Provider { language, version: version.into(), executable, prefix, warning: None }
                .label()
        };
        assert_eq!(label(Language::Python, "3.11.7"), "python:3.11.v7");
        assert_eq!(label(Language::Node, "20.20.2"), "nodejs:20.v20.2");
        assert_eq!(label(Language::Provided, "al2023"), "provided:al2023.v1");
    }

    #[test]
    fn what_is_missing_is_said_with_the_way_to_get_it() {
        let languages = Languages::new(false, PathBuf::new());
        let text = languages.provider("python3.99").unwrap_err().to_string();
        assert!(text.contains("uv python install 3.99"), "{text}");
        let text = languages.provider("java21").unwrap_err().to_string();
        assert!(text.contains("provided.al2023"), "{text}");
    }
}
