//! The tests below `tests/`, by pytest, against the built binary.

use std::{fs, path::Path, process::Command};

use anyhow::Context;
use regex::Regex;

use crate::{clients::Clients, function_clients::FunctionClients, program::show};

/// Runs them; answers with the names and reasons of those that were skipped.
pub(super) fn run(
    root: &Path,
    clients: &Clients,
    binary: &Path,
    arguments: &[String],
) -> anyhow::Result<Vec<String>> {
    let report = tempfile::Builder::new().suffix(".xml").tempfile()?;
    let Clients { python, node, registry, functions } = clients;
    let mut pytest = Command::new(python.program("python"));
    pytest
        .current_dir(root.join("tests"))
        .args(["-m", "pytest", "-p", "no:cacheprovider", "--durations=5", "--junit-xml"])
        .arg(report.path())
        .args(arguments)
        .env("LAMPEJO_BINARY", binary)
        .env("LAMPEJO_AWS", python.program("aws"))
        .env("NODE_PATH", node.modules())
        .env("LAMPEJO_PIP_PATH", python.path()?)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let FunctionClients { python, go, rust } = functions;
    let found = [
        ("LAMPEJO_REGISTRY", registry),
        ("LAMPEJO_CLIENT_PYTHON", python),
        ("LAMPEJO_CLIENT_GO", go),
        ("LAMPEJO_CLIENT_RUST", rust),
    ];
    pytest.envs(found.into_iter().filter_map(|(name, path)| Some((name, path.as_ref()?))));
    let outcome = show(&mut pytest);
    let report = fs::read_to_string(report.path()).context("pytest left no report")?;
    let skipped = skipped(&report);
    if outcome.is_err() {
        skipped.iter().for_each(|test| println!("skipped: {test}"));
    }
    outcome.map(|()| skipped)
}

/// `module::test: reason` of every skipped test of a JUnit report.
fn skipped(report: &str) -> Vec<String> {
    let test = Regex::new(
        r#"<testcase classname="([^"]*)" name="([^"]*)"[^>]*><skipped [^>]*message="([^"]*)""#,
    )
    .expect("a constant");
    let line = |found: regex::Captures<'_>| format!("{}::{}: {}", &found[1], &found[2], &found[3]);
    test.captures_iter(report).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_tests_are_named_with_their_reason() {
        let report =
            r#"<testsuite><testcase classname="scenarios.test_a" name="test_x" time="0.1" />
            <testcase classname="isolation.test_b" name="test_y" time="0.0"><skipped
            type="pytest.skip" message="no namespaces">b.py:1</skipped></testcase></testsuite>"#
                .replace("<skipped\n            ", "<skipped ");
        assert_eq!(skipped(&report), ["isolation.test_b::test_y: no namespaces"]);
    }
}
