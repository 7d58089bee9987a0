//! The AWS SDK for functions: boto3 and the JavaScript clients, which Lambda's runtimes bring
//! along. Installed once into the data folder by the language's own package manager.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use kit::ids;

use crate::languages::Language;

const PYTHON: [&str; 6] = [
    "boto3==1.43.11",
    "botocore==1.43.11",
    "s3transfer==0.17.1",
    "jmespath==1.1.0",
    "python-dateutil==2.9.0.post0",
    "urllib3==2.8.0",
];

/// The clients of the services that lampejo has, and those that most functions carry around: of the
/// last release that runs on Node.js 18, which Debian 12 has.
const NODE: [&str; 16] = [
    "@aws-sdk/client-cloudwatch-logs@3.958.0",
    "@aws-sdk/client-dynamodb@3.958.0",
    "@aws-sdk/client-eventbridge@3.958.0",
    "@aws-sdk/client-kinesis@3.958.0",
    "@aws-sdk/client-lambda@3.958.0",
    "@aws-sdk/client-s3@3.958.0",
    "@aws-sdk/client-scheduler@3.958.0",
    "@aws-sdk/client-secrets-manager@3.958.0",
    "@aws-sdk/client-sfn@3.958.0",
    "@aws-sdk/client-sns@3.958.0",
    "@aws-sdk/client-sqs@3.958.0",
    "@aws-sdk/client-ssm@3.958.0",
    "@aws-sdk/client-sts@3.958.0",
    "@aws-sdk/lib-dynamodb@3.958.0",
    "@aws-sdk/lib-storage@3.958.0",
    "@aws-sdk/s3-request-presigner@3.958.0",
];

/// Why the SDK is not there.
#[derive(Debug, thiserror::Error)]
pub enum SdkError {
    /// Functions of this language bring their own.
    #[error("functions of this language bring their own SDK")]
    NoSdk,
    /// A folder could not be made or moved.
    #[error("installing the SDK failed at {path}: {source}")]
    Folder {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The package manager could not be started.
    #[error("{program} is needed to install the SDK and could not be started: {source}")]
    NoInstaller {
        /// The package manager.
        program: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The package manager failed.
    #[error(
        "{program} could not install the SDK: {said}. Without a network, copy the folder {folder} \
         from a machine that has it; functions that bring their own SDK run without it"
    )]
    Installer {
        /// The package manager.
        program: &'static str,
        /// The end of what it said.
        said: String,
        /// Where the SDK belongs.
        folder: PathBuf,
    },
}

/// Where the SDK is, if it is installed.
pub(crate) fn installed(data: &Path, language: Language) -> Option<PathBuf> {
    folder(data, language).filter(|folder| folder.is_dir())
}

/// Installs the SDK of a language if it is not there; `progress` gets a line a step. Blocks.
pub fn install_sdk(
    data: &Path,
    language: Language,
    progress: &mut dyn FnMut(&str),
) -> Result<(), SdkError> {
    let finished = folder(data, language).ok_or(SdkError::NoSdk)?;
    if finished.is_dir() {
        progress("the SDK is installed");
        return Ok(());
    }
    let parent = data.join("sdk");
    let unfinished = parent.join(format!("unfinished-{}", ids::hex::<8>()));
    make_folder(&parent)?;
    make_folder(&unfinished)?;
    progress(&format!("installing the AWS SDK into {}", finished.display()));
    let installed = install(language, &unfinished, &finished);
    let moved = installed.and_then(|()| {
        let from = match language {
            Language::Node => unfinished.join("node_modules"),
            _ => unfinished.clone(),
        };
        fs::rename(&from, &finished)
            .map_err(|source| SdkError::Folder { path: finished.clone(), source })
    });
    // What is left of it is of no use to anybody.
    let _ = fs::remove_dir_all(&unfinished);
    moved?;
    progress("the SDK is installed");
    Ok(())
}

/// Named by what is in it, so that a newer server installs its own.
fn folder(data: &Path, language: Language) -> Option<PathBuf> {
    match language {
        Language::Python => Some(data.join("sdk").join(PYTHON[0].replace("==", "-"))),
        Language::Node => Some(data.join("sdk").join("aws-sdk-js-3.958.0")),
        Language::Java | Language::Ruby | Language::Provided => None,
    }
}

fn install(language: Language, into: &Path, finished: &Path) -> Result<(), SdkError> {
    let (program, mut command) = match language {
        Language::Node => ("npm", npm(into)),
        _ => ("pip", pip(into)),
    };
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|source| SdkError::NoInstaller { program, source })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let said = last[last.len().saturating_sub(3)..].join("; ");
    Err(SdkError::Installer { program, said, folder: finished.to_owned() })
}

/// Compiles, too: a function's start must not.
fn pip(into: &Path) -> Command {
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    command.args(["--no-input", "--compile", "--target"]).arg(into).args(PYTHON);
    command
}

fn npm(into: &Path) -> Command {
    let mut command = Command::new("npm");
    command.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]);
    command.arg("--prefix").arg(into).args(NODE);
    command
}

fn make_folder(path: &Path) -> Result<(), SdkError> {
    // Instances run as other users.
    let made = fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755)));
    made.map_err(|source| SdkError::Folder { path: path.to_owned(), source })
}
