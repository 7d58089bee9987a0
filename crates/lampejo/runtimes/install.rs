//! Installed runtimes: fetched, listed, removed. The tree is there before its record names it, and
//! is removed only while no server can have instances in it.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::Path,
};

use anyhow::{Context, bail, ensure};
use images::Images;
use runtime::{Installations, Installed};
use store::DataFolder;

use super::name::Runtime;
use crate::config::Config;

pub(super) async fn install(
    config: &Config,
    runtime: &Runtime,
    from: Option<&str>,
) -> anyhow::Result<()> {
    let installations = Installations::new(&config.data.join("runtime"));
    let _alone = lock(&installations)?;
    let images = Images::open(installations.images(), config.images.clone())?;
    let image = from.map_or_else(|| runtime.base_image(), str::to_owned);
    println!("fetching {image}");
    let pulled = images.pull(&image).await.with_context(|| format!("cannot fetch {image}"))?;
    check(&images.root(&pulled.digest), runtime).with_context(|| {
        format!("{image} is no base image of {runtime} functions, so it is not installed")
    })?;
    installations.add(&Installed {
        runtime: runtime.to_string(),
        image,
        resolved: pulled.resolved.clone(),
        digest: pulled.digest,
        layers: pulled.layers,
        environment: pulled.defaults.environment,
    })?;
    println!("{runtime} is installed: {}", pulled.resolved);
    // A server may have instances in what this one replaces.
    if DataFolder::open(&config.data).is_ok() {
        collect(&installations, &images)?;
    }
    Ok(())
}

pub(super) fn list(config: &Config) -> anyhow::Result<()> {
    let installed = Installations::new(&config.data.join("runtime")).all()?;
    if installed.is_empty() {
        println!("no runtime is installed");
    }
    for Installed { runtime, resolved, .. } in installed {
        println!("{runtime:<16} {resolved}");
    }
    Ok(())
}

pub(super) fn remove(config: &Config, runtime: &Runtime) -> anyhow::Result<()> {
    let installations = Installations::new(&config.data.join("runtime"));
    ensure!(installations.find(runtime.as_str()).is_some(), "{runtime} is not installed");
    let _alone = lock(&installations)?;
    let _no_server = DataFolder::open(&config.data)
        .with_context(|| format!("functions may be running on {runtime}: stop the server first"))?;
    installations.remove(runtime.as_str())?;
    let images = Images::open(installations.images(), config.images.clone())?;
    collect(&installations, &images)?;
    println!("{runtime} is removed");
    Ok(())
}

/// Waits until no other command changes what is installed.
fn lock(installations: &Installations) -> anyhow::Result<File> {
    let folder = installations.images();
    let path = folder.with_extension("lock");
    let opened = fs::create_dir_all(&folder).and_then(|()| File::create(&path));
    let file = opened.with_context(|| format!("cannot write {}", path.display()))?;
    file.lock()?;
    Ok(file)
}

/// What a sandbox needs of it: places for code and layers, and what starts functions. Folders, not
/// links, so that nothing is mounted elsewhere.
fn check(root: &Path, runtime: &Runtime) -> anyhow::Result<()> {
    for folder in ["var", "var/task", "opt"] {
        let found = root.join(folder).symlink_metadata();
        if !found.is_ok_and(|it| it.is_dir()) {
            bail!("it has no folder /{folder}");
        }
    }
    let bootstrap = root.join("var/runtime/bootstrap");
    ensure!(
        runtime.is_provided() || bootstrap.symlink_metadata().is_ok(),
        "it has no /var/runtime/bootstrap"
    );
    Ok(())
}

/// Removes the trees that no record names.
fn collect(installations: &Installations, images: &Images) -> anyhow::Result<()> {
    let installed = installations.all()?;
    let roots: BTreeSet<String> = installed.iter().map(|it| it.digest.clone()).collect();
    let layers = installed.into_iter().flat_map(|it| it.layers).collect();
    images.collect(&roots, &layers).context("removing what is no longer needed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_image_has_places_for_code_and_layers() {
        let root = tempfile::tempdir().unwrap();
        let python: Runtime = "python3.13".parse().unwrap();
        let provided: Runtime = "provided.al2023".parse().unwrap();
        assert!(check(root.path(), &provided).is_err());
        for folder in ["var/task", "opt"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        assert!(check(root.path(), &provided).is_ok());
        assert!(check(root.path(), &python).is_err());
        fs::create_dir(root.path().join("var/runtime")).unwrap();
        fs::write(root.path().join("var/runtime/bootstrap"), "").unwrap();
        assert!(check(root.path(), &python).is_ok());
        fs::remove_dir(root.path().join("opt")).unwrap();
        std::os::unix::fs::symlink("/etc", root.path().join("opt")).unwrap();
        let text = check(root.path(), &python).unwrap_err().to_string();
        assert_eq!(text, "it has no folder /opt");
    }
}
