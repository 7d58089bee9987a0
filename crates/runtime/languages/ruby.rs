//! Ruby: of the system, rbenv, rvm, chruby, asdf or mise.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Answer, Finder, Language, in_home, installs, lines, managed, on_path, own_folder};
use crate::bootstrap::Bootstraps;

pub(super) const FINDER: Finder = Finder {
    language: Language::Ruby,
    label: "ruby",
    runtimes: &["ruby3.2", "ruby3.3", "ruby3.4", "ruby4.0"],
    // Debian 12 has 3.1.
    older: &["ruby2.7", "ruby3.0", "ruby3.1"],
    version: |runtime| {
        let version = runtime.strip_prefix("ruby")?;
        let (major, minor) = version.split_once('.')?;
        (major.parse::<u32>().ok()).zip(minor.parse::<u32>().ok()).map(|_| version)
    },
    candidates,
    ask,
    advice: |version| format!("`rbenv install {version}`"),
};

fn candidates(version: &str) -> Vec<PathBuf> {
    let [asdf, mise] = installs("ruby");
    let bare = [own_folder("RBENV_ROOT", ".rbenv").join("versions"), asdf, mise];
    let named = [
        own_folder("rvm_path", ".rvm").join("rubies"),
        in_home(".rubies"),
        "/usr/local/rvm/rubies".into(),
        "/opt/rubies".into(),
    ];
    let bare = bare.iter().flat_map(|folder| managed(folder, &format!("{version}."), "bin/ruby"));
    let named =
        named.iter().flat_map(|folder| managed(folder, &format!("ruby-{version}."), "bin/ruby"));
    // Debian has a program for each version.
    on_path("ruby").chain(on_path(&format!("ruby{version}"))).chain(bare).chain(named).collect()
}

fn ask(path: &Path, _: &Bootstraps) -> Option<Answer> {
    let question = "puts RbConfig.ruby, RUBY_VERSION, RbConfig::CONFIG['prefix']";
    let said = lines(Command::new(path).args(["--disable-gems", "-rrbconfig", "-e", question]))?;
    let [executable, version, prefix, ..] = &said[..] else { return None };
    let executable = fs::canonicalize(executable).ok()?;
    Some(Answer { executable, version: version.clone(), prefix: prefix.into() })
}
