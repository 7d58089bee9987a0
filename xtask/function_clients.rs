//! The official runtime clients, as functions of the tests have them: awslambdaric of PyPI, and the
//! programs of `tests/clients` on aws-lambda-go and the `lambda_runtime` crate. Each is made once, in
//! the cache folder, and named by what it is made of. One that cannot be made is none: its tests say so.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::bail;

use crate::{
    clients::{cache, fingerprint, start_over},
    program::{cargo, quiet},
};

const AWSLAMBDARIC: &str = "awslambdaric==4.2.2";
/// What custom runtimes of tests run on: the only Python that every sandbox shows.
const PYTHON: &str = "/usr/bin/python3";

/// What there is.
pub(crate) struct FunctionClients {
    /// A folder with awslambdaric and what it needs.
    pub(crate) python: Option<PathBuf>,
    /// A program.
    pub(crate) go: Option<PathBuf>,
    /// A program.
    pub(crate) rust: Option<PathBuf>,
}

impl FunctionClients {
    /// Makes what is missing; in continuous integration all of it must be there, but for Go.
    pub(crate) fn open(root: &Path, pip: &Path) -> anyhow::Result<FunctionClients> {
        let clients = root.join("tests/clients");
        Ok(FunctionClients {
            python: needed("awslambdaric", python(pip))?,
            go: if exists_go() { needed("aws-lambda-go", go(&clients.join("go")))? } else { None },
            rust: needed("lambda_runtime", rust(root, &clients.join("rust")))?,
        })
    }
}

/// A registry that is out of reach is no failure of ours.
fn needed(name: &str, made: anyhow::Result<PathBuf>) -> anyhow::Result<Option<PathBuf>> {
    match made {
        Ok(path) => Ok(Some(path)),
        Err(error) if env::var_os("CI").is_some() => bail!("cannot make {name}: {error:#}"),
        Err(error) => {
            println!("the tests of {name} are skipped: {error:#}");
            Ok(None)
        }
    }
}

/// Wheels only: nothing is compiled.
fn python(pip: &Path) -> anyhow::Result<PathBuf> {
    let ask = "import sys; print('%d.%d' % sys.version_info[:2], end='')";
    let version = quiet(Command::new(PYTHON).args(["-I", "-c", ask]))?;
    make("awslambdaric", &[&version, AWSLAMBDARIC], |folder| {
        let mut command = Command::new(pip);
        command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        command.args(["--only-binary=:all:", "--python-version", &version, "--target"]);
        quiet(command.arg(folder).arg(AWSLAMBDARIC))
    })
}

/// `go` knows no `--version`.
fn exists_go() -> bool {
    quiet(Command::new("go").arg("version")).is_ok()
}

fn go(source: &Path) -> anyhow::Result<PathBuf> {
    let parts = read(source, &["go.mod", "go.sum", "main.go"])?;
    let folder = make("aws-lambda-go", &parts.each_ref().map(String::as_str), |folder| {
        let mut command = Command::new("go");
        command.current_dir(source).env("CGO_ENABLED", "0");
        command.args(["build", "-trimpath", "-tags", "lambda.norpc", "-o"]);
        quiet(command.arg(folder.join("client")).arg("."))
    })?;
    Ok(folder.join("client"))
}

fn rust(root: &Path, source: &Path) -> anyhow::Result<PathBuf> {
    let parts = read(source, &["Cargo.toml", "Cargo.lock", "main.rs"])?;
    let folder = make("lambda_runtime", &parts.each_ref().map(String::as_str), |folder| {
        let mut command = cargo(root);
        command.args(["build", "--quiet", "--locked", "--manifest-path"]);
        command.arg(source.join("Cargo.toml")).arg("--target-dir").arg(folder.join("target"));
        quiet(&mut command)?;
        fs::rename(folder.join("target/debug/client"), folder.join("client"))?;
        // Hundreds of megabytes.
        fs::remove_dir_all(folder.join("target"))?;
        Ok(String::new())
    })?;
    Ok(folder.join("client"))
}

fn read<const N: usize>(folder: &Path, names: &[&str; N]) -> anyhow::Result<[String; N]> {
    let mut texts = [const { String::new() }; N];
    for (text, name) in texts.iter_mut().zip(names) {
        *text = fs::read_to_string(folder.join(name))?;
    }
    Ok(texts)
}

/// A folder of the cache; `fill` puts into it what belongs there, once.
fn make(
    name: &str,
    parts: &[&str],
    fill: impl FnOnce(&Path) -> anyhow::Result<String>,
) -> anyhow::Result<PathBuf> {
    let folder = cache()?.join(format!("{name}-{}", fingerprint(parts)));
    let mark = folder.join(".complete");
    if !mark.exists() {
        println!("fetching {name} into {}", folder.display());
        start_over(&folder)?;
        fill(&folder)?;
        fs::write(mark, "")?;
    }
    Ok(folder)
}
