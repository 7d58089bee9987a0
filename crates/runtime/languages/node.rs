//! Node.js: of the system, nvm, asdf or mise.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Answer, Finder, Language, installs, lines, managed, on_path, own_folder};
use crate::bootstrap::Bootstraps;

pub(super) const FINDER: Finder = Finder {
    language: Language::Node,
    label: "nodejs",
    runtimes: &["nodejs16.x", "nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x", "nodejs26.x"],
    older: &[],
    version: |runtime| {
        let major = runtime.strip_prefix("nodejs")?.strip_suffix(".x")?;
        major.parse::<u32>().ok().map(|_| major)
    },
    candidates,
    ask,
    advice: |version| format!("`nvm install {version}`"),
};

fn candidates(version: &str) -> Vec<PathBuf> {
    let nvm = own_folder("NVM_DIR", ".nvm").join("versions/node");
    let start = format!("{version}.");
    on_path("node")
        .chain(managed(&nvm, &format!("v{version}."), "bin/node"))
        .chain(installs("nodejs").iter().flat_map(|at| managed(at, &start, "bin/node")))
        .collect()
}

fn ask(path: &Path, _: &Bootstraps) -> Option<Answer> {
    let question = "process.execPath + '\\n' + process.versions.node";
    let said = lines(Command::new(path).args(["-p", question]))?;
    let [executable, version, ..] = &said[..] else { return None };
    let executable = fs::canonicalize(executable).ok()?;
    let prefix = executable.parent()?.parent()?.to_owned();
    Some(Answer { executable, version: version.clone(), prefix })
}
