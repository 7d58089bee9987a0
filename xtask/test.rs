//! `cargo xtask test`: every check, in the order of what it costs, then a summary. A step that
//! fails does not keep the next from running.

mod pytest;
mod rust;

use std::{
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Args;

use crate::{
    clients::{Clients, Node, Python, image_registry, outside, ruby},
    codegen,
    function_clients::FunctionClients,
    program::{Profile, build, cargo, quiet, show},
    tidy,
};

/// What to run.
#[derive(Args)]
pub(crate) struct Flags {
    /// Only the tests against the real binary, with these arguments for pytest
    #[arg(long, num_args = 0.., allow_hyphen_values = true)]
    pytest: Option<Vec<String>>,
}

/// How a step went.
struct Step {
    name: &'static str,
    took: Duration,
    error: Option<String>,
}

/// The steps so far, and the tests that did not run.
#[derive(Default)]
struct Report {
    steps: Vec<Step>,
    skipped: Vec<String>,
}

pub(crate) fn run(root: &Path, flags: &Flags) -> anyhow::Result<ExitCode> {
    // First and in silence: later steps find every package there.
    quiet(cargo(root).args(["fetch", "--quiet", "--locked"]))?;
    let (python, node) = (Python::open(root)?, Node::open(root)?);
    ruby()?;
    outside();
    let functions = FunctionClients::open(root, &python.program("python"))?;
    let clients = Clients { python, node, registry: image_registry()?, functions };
    let mut report = Report::default();
    let (profile, arguments) = match &flags.pytest {
        Some(arguments) => (Profile::Dev, arguments.as_slice()),
        None => (Profile::Tests, &[][..]),
    };
    if flags.pytest.is_none() {
        report.of_the_source(root);
    }
    let mut binary = None;
    report.step("build", || {
        binary = Some(build(root, profile)?);
        Ok(())
    });
    if flags.pytest.is_none() {
        report.of_rust(root);
    }
    if let Some(binary) = binary {
        let mut skipped = Vec::new();
        report.step("the real clients against the real binary", || {
            skipped = pytest::run(root, &clients, &binary, arguments)?;
            Ok(())
        });
        report.skipped.extend(skipped);
    }
    Ok(report.print())
}

impl Report {
    fn of_the_source(&mut self, root: &Path) {
        self.step("codegen --check", || codegen::check(root));
        self.step("tidy", || tidy::check(root));
        let mut run = |name, arguments: &[&str]| {
            self.step(name, || show(cargo(root).args(arguments)));
        };
        run("cargo fmt", &["fmt", "--all", "--check"]);
        let clippy = ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
        run("cargo clippy", &clippy);
    }

    fn of_rust(&mut self, root: &Path) {
        let mut skipped = Vec::new();
        self.step("cargo test", || rust::run(root, &mut skipped));
        self.skipped.extend(skipped);
    }

    fn step(&mut self, name: &'static str, work: impl FnOnce() -> anyhow::Result<()>) {
        println!("\n== {name}");
        let began = Instant::now();
        let error = work().err().map(|error| format!("{error:#}"));
        if let Some(error) = &error {
            println!("{error}");
        }
        self.steps.push(Step { name, took: began.elapsed(), error });
    }

    fn print(&self) -> ExitCode {
        println!("\n== summary");
        for step in &self.steps {
            let outcome = if step.error.is_none() { "ok    " } else { "FAILED" };
            println!("{outcome} {:>6.1} s  {}", step.took.as_secs_f64(), step.name);
        }
        for test in &self.skipped {
            println!("skipped          {test}");
        }
        match self.steps.iter().filter(|step| step.error.is_some()).count() {
            0 => {
                println!(
                    "all {} steps passed, {} tests skipped",
                    self.steps.len(),
                    self.skipped.len()
                );
                ExitCode::SUCCESS
            }
            failed => {
                println!("{failed} of {} steps FAILED", self.steps.len());
                ExitCode::FAILURE
            }
        }
    }
}
