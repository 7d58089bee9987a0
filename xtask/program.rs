//! Running other programs: their failures as errors that say what to do, their output without
//! the addresses of package registries, which are nobody's business in a build log.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail};
use regex::Regex;

/// The last lines of a failed program that are shown.
const SHOWN_LINES: usize = 12;

/// Runs a program whose output the reader wants to see.
pub(crate) fn show(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", name(command)))?;
    if !status.success() {
        bail!("{} failed: {status}", name(command));
    }
    Ok(())
}

/// Runs a program in silence; its output only shows if it fails.
pub(crate) fn quiet(command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", name(command)))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().collect();
    let last = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
    bail!("{} failed: {}\n{}", name(command), output.status, without_addresses(&last))
}

/// Whether a program is on the PATH and starts.
pub(crate) fn exists(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Installs Debian packages if this user may; otherwise says how to.
pub(crate) fn install(packages: &[&str]) -> anyhow::Result<()> {
    let advice = format!("apt-get install {}", packages.join(" "));
    if !rustix::process::geteuid().is_root() || !exists("apt-get") {
        bail!("something is missing on this machine. Install it with:\n  sudo {advice}");
    }
    println!("installing {}", packages.join(" "));
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments).args(["-qq", "-y"]);
        quiet(&mut command)
    };
    apt(&["update"])?;
    apt(&[&["install", "--no-install-recommends"], packages].concat())?;
    Ok(())
}

/// Builds `lampejo` and returns the binary's path.
pub(crate) fn build(root: &Path, profile: Profile) -> anyhow::Result<PathBuf> {
    let (flags, folder): (&[&str], _) = match profile {
        Profile::Release => (&["--package", "lampejo", "--release"], "release"),
        Profile::Dev => (&["--package", "lampejo"], "debug"),
        // As `cargo test` builds: features that only tests need are on, so nothing is built twice.
        Profile::Tests => (&["--workspace", "--lib", "--bins", "--tests", "--examples"], "debug"),
    };
    show(cargo(root).args(["build", "--locked"]).args(flags))?;
    Ok(target_folder(root)?.join(folder).join("lampejo"))
}

/// How the binary is built.
#[derive(Clone, Copy)]
pub(crate) enum Profile {
    /// For a look.
    Dev,
    /// Together with all tests.
    Tests,
    /// For people and measurements.
    Release,
}

/// Cargo in the workspace: the one that runs this.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo
}

/// Where cargo builds.
fn target_folder(root: &Path) -> anyhow::Result<PathBuf> {
    let mut cargo = cargo(root);
    let metadata = quiet(cargo.args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let folder = metadata["target_directory"].as_str().context("cargo names no target folder")?;
    Ok(PathBuf::from(folder))
}

fn name(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(OsStr::to_string_lossy).take(3).collect::<Vec<_>>().join(" ")
}

fn without_addresses(text: &str) -> String {
    let address = Regex::new(r"(?i)\b(https?://|host=')[^\s'<>]+").expect("a constant");
    address.replace_all(text, "(an address)").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_registries_are_not_shown() {
        let said = "ERROR: no match at https://some.mirror.example/simple/boto3 (retry)";
        assert_eq!(without_addresses(said), "ERROR: no match at (an address) (retry)");
    }

    #[test]
    fn a_failed_program_says_why() {
        let error = quiet(Command::new("sh").args(["-c", "echo it broke >&2; exit 3"]));
        assert!(error.unwrap_err().to_string().contains("it broke"));
    }
}
