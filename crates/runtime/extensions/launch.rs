//! What an instance starts before its runtime: the programs in `/opt/extensions`, all at once, and
//! when each has registered the runtime.

use std::{collections::BTreeMap, fs, path::PathBuf};

use super::roster::{Extension, Kind, MAX_EXTENSIONS, State};
use crate::{
    faults::{Crash, Fault},
    function::Function,
    log::Log,
    platform::Event,
    sandbox::{Program, StartError, View},
    start::{self, EXEC, NotStarted},
};

/// Variables that are the runtime's alone ("Lambda Extensions API").
const OF_THE_RUNTIME: [&str; 10] = [
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_XRAY_CONTEXT_MISSING",
    "AWS_XRAY_DAEMON_ADDRESS",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_AWS_XRAY_DAEMON_ADDRESS",
    "_AWS_XRAY_DAEMON_PORT",
    "_HANDLER",
];

/// An external extension.
#[derive(Clone, Debug)]
pub(crate) struct External {
    /// Its file's name.
    pub(crate) name: String,
    /// Its file: on the host, or in the image.
    path: PathBuf,
}

/// What is to be started after an instance's first program.
pub(crate) struct After {
    /// The extensions but for the first.
    pub(crate) extensions: Vec<(String, Program)>,
    /// When all of them have registered.
    pub(crate) runtime: Program,
    /// Where the runtime starts, as it sees it.
    pub(crate) folder: PathBuf,
}

/// The extensions that a function brings; of two of the same name the later layer's.
pub(crate) fn found(function: &Function) -> Vec<External> {
    let folder = |root: &PathBuf| root.join("extensions");
    let folders: Vec<(PathBuf, Option<PathBuf>)> = match &function.image {
        Some(image) => {
            let inside = PathBuf::from("/opt/extensions");
            vec![(image.root.join("opt/extensions"), Some(inside))]
        }
        None => function.layers.iter().map(|layer| (folder(layer), None)).collect(),
    };
    let mut found = BTreeMap::new();
    for (folder, inside) in folders {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            // Where a link leads is not for the host to see.
            let is_program = entry.file_type().is_ok_and(|kind| !kind.is_dir());
            if let (true, Ok(name)) = (is_program, entry.file_name().into_string()) {
                let path = inside.as_ref().unwrap_or(&folder).join(&name);
                found.insert(name, path);
            }
        }
    }
    found.into_iter().map(|(name, path)| External { name, path }).collect()
}

/// Their programs, in the runtime's environment but for what is the runtime's own.
pub(crate) fn programs(
    extensions: &[External],
    runtime: &Program,
    view: &View,
) -> Vec<(String, Program)> {
    let is_shared = |name: &std::ffi::OsStr| OF_THE_RUNTIME.iter().all(|own| name != *own);
    let shared = runtime.environment.iter().filter(|(name, _)| is_shared(name));
    let environment: Vec<_> = shared.cloned().collect();
    let program = |extension: &External| {
        let argv = vec![view.path(&extension.path).into_os_string()];
        (extension.name.clone(), Program { argv, environment: environment.clone() })
    };
    extensions.iter().map(program).collect()
}

impl After {
    /// The program to begin with, and the rest.
    pub(crate) fn divide(
        mut extensions: Vec<(String, Program)>,
        runtime: Program,
        folder: PathBuf,
    ) -> (Program, Option<After>) {
        if extensions.is_empty() {
            return (runtime, None);
        }
        let (_, first) = extensions.remove(0);
        (first, Some(After { extensions, runtime, folder }))
    }
}

/// The extensions that there are, if there are not too many.
pub(crate) fn check(log: &Log, extensions: &[External]) -> Result<(), NotStarted> {
    match extensions.get(MAX_EXTENSIONS) {
        None => Ok(()),
        Some(extension) => {
            let reason = "ErrTooManyExtensions".to_owned();
            Err(failed(log, extension, "TooManyExtensions", reason))
        }
    }
}

/// The first extension could not be started.
pub(crate) fn not_started(log: &Log, extension: &External, error: StartError) -> NotStarted {
    if error.step != EXEC {
        return NotStarted::Machine(start::start_error(error.step, error.source));
    }
    let (error_type, reason) = why(&extension.name, &error);
    failed(log, extension, error_type, reason)
}

/// Why an extension's program was not executed: for the log, and for the caller.
pub(crate) fn why(name: &str, error: &StartError) -> (&'static str, String) {
    let reason = not_executed(&format!("/opt/extensions/{name}"), error);
    let error_type = match error.source.kind() {
        std::io::ErrorKind::PermissionDenied => "PermissionDenied",
        _ => "UnknownError",
    };
    (error_type, reason)
}

/// The runtime could not be started beside its extensions.
pub(crate) fn runtime_not_started(program: &str, error: &StartError) -> Crash {
    Crash { error_type: "Runtime.InvalidEntrypoint", reason: not_executed(program, error) }
}

fn not_executed(program: &str, error: &StartError) -> String {
    format!("fork/exec {program}: {}", start::exec_reason(&error.source))
}

fn failed(log: &Log, extension: &External, error_type: &str, reason: String) -> NotStarted {
    log.tell(&Event::Extension(&Extension {
        name: extension.name.clone(),
        id: String::new(),
        kind: Kind::External,
        events: Vec::new(),
        state: State::LaunchError,
        error_type: Some(error_type.to_owned()),
    }));
    let crash = Crash { error_type: "Extension.LaunchError", reason };
    NotStarted::Function(Fault::Extension(crash), 0.0)
}
