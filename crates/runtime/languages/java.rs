//! Java: a JDK of the system, or of sdkman, asdf, mise and the like. A JRE will not do: our
//! bootstrap is compiled once for each JVM, by its own compiler.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{Answer, Finder, Language, managed, on_path, own_folder};
use crate::bootstrap::Bootstraps;

pub(super) const FINDER: Finder = Finder {
    language: Language::Java,
    label: "java",
    runtimes: &[
        "java8.al2",
        "java8.al2023",
        "java11",
        "java11.al2023",
        "java17",
        "java17.al2023",
        "java21",
        "java25",
    ],
    older: &[],
    version: |runtime| {
        let version = runtime.strip_prefix("java")?;
        let (major, system) = version.split_once('.').unwrap_or((version, "al2"));
        let is_known = major.parse::<u32>().is_ok() && ["al2", "al2023"].contains(&system);
        is_known.then_some(major)
    },
    candidates,
    ask,
    advice: |version| format!("`apt-get install openjdk-{version}-jdk-headless`, sdkman"),
};

/// Folders in which each version has one of its own.
const FOLDERS: [&str; 3] = ["/usr/lib/jvm", "/usr/java", "/opt/java"];

fn candidates(_: &str) -> Vec<PathBuf> {
    const PROGRAM: &str = "bin/java";
    let chosen = env::var_os("JAVA_HOME").map(|home| Path::new(&home).join(PROGRAM));
    let managers = [
        own_folder("SDKMAN_CANDIDATES_DIR", ".sdkman/candidates").join("java"),
        own_folder("ASDF_DATA_DIR", ".asdf").join("installs/java"),
        own_folder("MISE_DATA_DIR", ".local/share/mise").join("installs/java"),
        own_folder("JABBA_HOME", ".jabba").join("jdk"),
        own_folder("GRADLE_USER_HOME", ".gradle").join("jdks"),
        own_folder("", ".jdks"),
    ];
    let folders = FOLDERS.map(PathBuf::from).into_iter().chain(managers);
    let there = folders.flat_map(|folder| managed(&folder, "", PROGRAM));
    chosen.into_iter().chain(on_path("java")).chain(there).collect()
}

fn ask(path: &Path, _: &Bootstraps) -> Option<Answer> {
    // `/usr/bin/java` is a link to a link.
    let prefix = home(&fs::canonicalize(path).ok()?)?;
    let executable = prefix.join("bin/java");
    let version = prefix.join("bin/javac").is_file().then(|| version(&prefix))??;
    Some(Answer { executable, version, prefix })
}

/// The home of `…/bin/java`; Java 8 has one more folder between.
fn home(java: &Path) -> Option<PathBuf> {
    let home = java.parent()?.parent()?;
    let is_jre = home.file_name().is_some_and(|name| name == "jre");
    if is_jre { home.parent().map(Path::to_owned) } else { Some(home.to_owned()) }
}

/// By its `release` file, or else its own word.
fn version(home: &Path) -> Option<String> {
    let release = fs::read_to_string(home.join("release")).unwrap_or_default();
    property(&release, "JAVA_VERSION").or_else(|| {
        let mut java = Command::new(home.join("bin/java"));
        java.args(["-XshowSettings:properties", "-version"]);
        let output = java.stdin(Stdio::null()).output().ok()?;
        property(&String::from_utf8_lossy(&output.stderr), "java.version")
    })
}

/// Of `NAME="17.0.15"` or `    name = 17.0.15`.
fn property(text: &str, name: &str) -> Option<String> {
    let value = text.lines().find_map(|line| {
        let (found, value) = line.split_once('=')?;
        (found.trim() == name).then(|| value.trim().trim_matches('"'))
    })?;
    // Java 8 called itself 1.8.0_392, and the first of 25 is just 25.
    let plain = value.strip_prefix("1.").unwrap_or(value).replace('_', ".");
    plain.starts_with(|first: char| first.is_ascii_digit()).then(|| match plain.contains('.') {
        true => plain,
        false => format!("{plain}.0"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_wherever_they_stand() {
        let release = "IMPLEMENTOR=\"Debian\"\nJAVA_VERSION=\"17.0.15\"\n";
        assert_eq!(property(release, "JAVA_VERSION").as_deref(), Some("17.0.15"));
        assert_eq!(property("JAVA_VERSION=\"25\"", "JAVA_VERSION").as_deref(), Some("25.0"));
        let settings = "    java.vendor.version = x\n    java.version = 1.8.0_392\n";
        assert_eq!(property(settings, "java.version").as_deref(), Some("8.0.392"));
        assert_eq!(property("JAVA_VERSION=\"\"", "JAVA_VERSION"), None);
    }

    #[test]
    fn a_home_lies_above_its_program() {
        assert_eq!(home(Path::new("/jvm/17/bin/java")), Some("/jvm/17".into()));
        assert_eq!(home(Path::new("/jvm/8/jre/bin/java")), Some("/jvm/8".into()));
    }
}
