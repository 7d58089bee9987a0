//! Java: our bootstrap, compiled once for each JVM by its own compiler. The binary holds sources
//! only, so that building it takes no JDK, and any later JVM runs them too.
//!
//! Read next: `options` (how a JVM is started); `languages/java.rs` finds JVMs.

mod options;

use std::{
    ffi::OsString,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use kit::ids;

use crate::{
    environment::Surrounded, function::RuntimeError, languages::Provider, sandbox::View,
    start::start_error,
};

/// What the bootstrap's classes are in.
const JAR: &str = "lampejo.jar";
/// The same classes, and those of the JDK that they need, as the JVM has them in memory.
const ARCHIVE: &str = "lampejo.jsa";
/// The first Java that makes such archives at the end of a run.
const ARCHIVES_SINCE: u32 = 13;
/// The jar as both the rehearsal and a sandbox see it from where they start: an archive is only good
/// for the class path that it was made with.
const JAR_FROM_TASK: &str = "../runtime/lampejo.jar";

/// The folder of the classes that a JVM runs: beside the sources, named by the JVM.
pub(crate) fn classes(sources: &Path, jvm: &Provider) -> PathBuf {
    home_of_classes(sources, jvm).join("runtime")
}

fn home_of_classes(sources: &Path, jvm: &Provider) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    jvm.prefix.hash(&mut hasher);
    let name = sources.file_name().unwrap_or_default().to_string_lossy();
    sources.with_file_name(format!("{name}-{}-{:08x}", jvm.version, hasher.finish() as u32))
}

/// The command line, but for the layers that follow it. `starts_in_task`: the program starts in
/// `/var/task` of a sandbox.
pub(crate) fn command(of: &Surrounded<'_>, view: &View, starts_in_task: bool) -> Vec<OsString> {
    let classes = of.bootstrap.map(PathBuf::as_path).unwrap_or(Path::new(""));
    let own = of.function.environment.get("JAVA_TOOL_OPTIONS").map_or("", String::as_str);
    let mut argv = vec![of.provider.executable.clone().into_os_string()];
    argv.extend(options::options(of.function.memory_mib, own).into_iter().map(Into::into));
    let archive = classes.join(ARCHIVE);
    let jar = if starts_in_task && archive.exists() {
        let mut option = OsString::from("-XX:SharedArchiveFile=");
        option.push(view.path(&archive));
        // Should the JVM not like it, that is not the function's to read of.
        argv.extend([option, "-Xlog:cds*=off".into()]);
        JAR_FROM_TASK.into()
    } else {
        view.path(&classes.join(JAR)).into_os_string()
    };
    argv.extend(["-cp".into(), jar, "lampejo.Bootstrap".into()]);
    argv
}

/// Compiles the bootstrap for a JVM, if it is not there. Takes seconds, once.
pub(crate) fn prepare(sources: &Path, jvm: &Provider) -> Result<(), RuntimeError> {
    let finished = home_of_classes(sources, jvm);
    if finished.exists() {
        return Ok(());
    }
    let unfinished = finished.with_file_name(format!("unfinished-{}", ids::hex::<8>()));
    let made = compile(sources, jvm, &unfinished).and_then(|()| {
        rehearse(jvm, &unfinished);
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
    let (classes, runtime, task) = (into.join("classes"), into.join("runtime"), into.join("task"));
    for folder in [&classes, &runtime, &task] {
        fs::create_dir_all(folder)?;
    }
    let mut files = Vec::new();
    list(sources, &mut files)?;
    let mut javac = Command::new(jvm.prefix.join("bin/javac"));
    // Joining strings by `invokedynamic` costs ten milliseconds of each start.
    javac.args(["-nowarn", "-proc:none", "-encoding", "UTF-8", "-XDstringConcat=inline", "-d"]);
    run(javac.arg(&classes).args(files))?;
    let mut jar = Command::new(jvm.prefix.join("bin/jar"));
    // Stored, not compressed: classes are read at each start.
    run(jar.arg("cf0").arg(runtime.join(JAR)).arg("-C").arg(&classes).arg("."))?;
    fs::remove_dir_all(&classes)?;
    for folder in [into, &runtime] {
        open_to_all(folder, 0o755)?;
    }
    open_to_all(&runtime.join(JAR), 0o644)
}

/// Serves one invocation and keeps the classes that it took. Without the archive functions start
/// too, some ten milliseconds later.
fn rehearse(jvm: &Provider, folder: &Path) {
    let major = jvm.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < ARCHIVES_SINCE) {
        return;
    }
    let archive = folder.join("runtime").join(ARCHIVE);
    let mut option = OsString::from("-XX:ArchiveClassesAtExit=");
    option.push(&archive);
    let mut java = Command::new(&jvm.executable);
    java.current_dir(folder.join("task")).arg(option);
    java.args(["-XX:+UseSerialGC", "-cp", JAR_FROM_TASK, "lampejo.Rehearsal"]);
    let rehearsed = run(&mut java).and_then(|()| open_to_all(&archive, 0o644));
    if let Err(error) = rehearsed {
        tracing::warn!(%error, "Java functions start without an archive of classes");
    }
}

/// Instances run as other users.
fn open_to_all(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
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
