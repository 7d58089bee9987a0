//! The tests in Rust, by cargo.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
};

use anyhow::{Context, ensure};

use crate::program::cargo;

/// What a test prints that cannot do its work on this machine.
const SKIPPED: &str = "skipped: ";

/// Runs them all; notes what was skipped.
pub(super) fn run(root: &Path, skipped: &mut Vec<String>) -> anyhow::Result<()> {
    let mut cargo = cargo(root);
    // Output of tests that pass is only looked through for what they skipped.
    cargo.args(["test", "--locked", "--workspace", "--no-fail-fast", "--", "--show-output"]);
    let mut child = cargo.stdout(Stdio::piped()).spawn().context("cannot start cargo test")?;
    let output = child.stdout.take().context("the output is piped")?;
    let mut view = View::default();
    for line in BufReader::new(output).lines() {
        let line = line?;
        skipped.extend(line.strip_prefix(SKIPPED).map(str::to_owned));
        if view.shows(&line) {
            println!("{line}");
        }
    }
    let status = child.wait()?;
    ensure!(status.success(), "cargo test failed: {status}");
    Ok(())
}

/// Which lines a reader wants to see.
#[derive(Default)]
struct View {
    of_passed: bool,
}

impl View {
    fn shows(&mut self, line: &str) -> bool {
        match line {
            "successes:" => self.of_passed = true,
            "failures:" => self.of_passed = false,
            _ if line.starts_with("test result: ") => self.of_passed = false,
            _ => {}
        }
        !self.of_passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_of_passed_tests_is_not_shown() {
        let lines =
            ["test a ... ok", "successes:", "---- a stdout ----", "noise", "failures:", "panicked"];
        let mut view = View::default();
        let shown: Vec<&str> = lines.into_iter().filter(|line| view.shows(line)).collect();
        assert_eq!(shown, ["test a ... ok", "failures:", "panicked"]);
    }
}
