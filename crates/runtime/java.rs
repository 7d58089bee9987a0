//! Java: our bootstrap, compiled once for each JVM by its own compiler. The binary holds sources
//! only, so that building it takes no JDK, and any later JVM runs them too.
//!
//! Read next: `options` (how a JVM is started); `languages/java.rs` finds JVMs.

mod options;

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use kit::ids;

use crate::{function::RuntimeError, languages::Provider, start::start_error};

pub(crate) use options::options;

/// What the bootstrap's classes are in.
pub(crate) const ARCHIVE: &str = "lampejo.jar";
/// The class that starts a function.
pub(crate) const MAIN: &str = "lampejo.Bootstrap";

/// The folder of the classes that a JVM runs: beside the sources, named by the JVM.
pub(crate) fn classes(sources: &Path, jvm: &Provider) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    jvm.prefix.hash(&mut hasher);
    let name = sources.file_name().unwrap_or_default().to_string_lossy();
    sources.with_file_name(format!("{name}-{}-{:08x}", jvm.version, hasher.finish() as u32))
}

/// Compiles the bootstrap for a JVM, if it is not there. Takes a second or two, once.
pub(crate) fn prepare(sources: &Path, jvm: &Provider) -> Result<(), RuntimeError> {
    let finished = classes(sources, jvm);
    if finished.exists() {
        return Ok(());
    }
    let unfinished = finished.with_file_name(format!("unfinished-{}", ids::hex::<8>()));
    let made = compile(sources, jvm, &unfinished).and_then(|()| {
        match fs::rename(&unfinished, &finished) {
            // Somebody else was first.
            Err(_) if finished.exists() => Ok(()),
            renamed => renamed,
        }
    });
    // Nothing is left of it if all went well.
    let _ = fs::remove_dir_all(&unfinished);
    made.map_err(|error| start_error("compile the Java bootstrap", error))
}

fn compile(sources: &Path, jvm: &Provider, into: &Path) -> io::Result<()> {
    let classes = into.join("classes");
    fs::create_dir_all(&classes)?;
    let mut files = Vec::new();
    list(sources, &mut files)?;
    let mut javac = Command::new(jvm.prefix.join("bin/javac"));
    // Joining strings by `invokedynamic` costs ten milliseconds of each start.
    javac.args(["-nowarn", "-proc:none", "-encoding", "UTF-8", "-XDstringConcat=inline", "-d"]);
    run(javac.arg(&classes).args(files))?;
    let archive = into.join(ARCHIVE);
    let mut jar = Command::new(jvm.prefix.join("bin/jar"));
    // Stored, not compressed: classes are read at each start.
    run(jar.arg("cf0").arg(&archive).arg("-C").arg(&classes).arg("."))?;
    fs::remove_dir_all(&classes)?;
    // Instances run as other users.
    fs::set_permissions(&archive, fs::Permissions::from_mode(0o644))?;
    fs::set_permissions(into, fs::Permissions::from_mode(0o755))
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn run(command: &mut Command) -> io::Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let program = command.get_program().to_string_lossy();
    Err(io::Error::other(format!("{program}: {}", said.trim())))
}
