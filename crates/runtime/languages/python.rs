//! Python: of the system, pyenv, uv, asdf or mise.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Answer, Finder, Language, installs, lines, managed, on_path, own_folder};
use crate::bootstrap::Bootstraps;

pub(super) const FINDER: Finder = Finder {
    language: Language::Python,
    label: "python",
    runtimes: &[
        "python3.8",
        "python3.9",
        "python3.10",
        "python3.11",
        "python3.12",
        "python3.13",
        "python3.14",
        "python3.15",
    ],
    older: &[],
    version: |runtime| {
        let version = runtime.strip_prefix("python")?;
        version.strip_prefix("3.")?.parse::<u32>().ok().map(|_| version)
    },
    candidates,
    ask,
    advice: |version| format!("`uv python install {version}`, `pyenv install {version}`"),
};

fn candidates(version: &str) -> Vec<PathBuf> {
    let name = format!("python{version}");
    let program = format!("bin/{name}");
    let pyenv = own_folder("PYENV_ROOT", ".pyenv").join("versions");
    let uv = own_folder("UV_PYTHON_INSTALL_DIR", ".local/share/uv/python");
    on_path(&name)
        .chain(managed(&pyenv, &format!("{version}."), &program))
        .chain(managed(&uv, &format!("cpython-{version}."), &program))
        .chain(
            installs("python").iter().flat_map(|at| managed(at, &format!("{version}."), &program)),
        )
        .collect()
}

/// Also compiles our bootstrap, so that no instance of this version has to.
const QUESTION: &str = "
import sys
print(sys.executable)
print('%d.%d.%d' % sys.version_info[:3])
print(sys.base_prefix)
import compileall
compileall.compile_dir(sys.argv[1], quiet=2)
";

fn ask(path: &Path, bootstraps: &Bootstraps) -> Option<Answer> {
    let mut command = Command::new(path);
    let said = lines(command.args(["-I", "-S", "-c", QUESTION]).arg(&bootstraps.python))?;
    let [executable, version, prefix, ..] = &said[..] else { return None };
    let executable = fs::canonicalize(executable).ok()?;
    Some(Answer { executable, version: version.clone(), prefix: prefix.into() })
}
