//! Our bootstraps: the programs inside an instance that turn events into calls of the handler.
//! They are part of the binary and written into the data folder once for each version of them.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use kit::ids;

use crate::languages::Language;

macro_rules! files {
    ($folder:literal: $($name:literal)*) => {
        &[$(($name, include_str!(concat!("bootstrap/", $folder, "/", $name)))),*]
    };
}

type Files = &'static [(&'static str, &'static str)];

const PYTHON: Files = files!("python":
    "bootstrap.py" "lampejo/__init__.py" "lampejo/client.py" "lampejo/context.py"
    "lampejo/errors.py" "lampejo/fault.py" "lampejo/handler.py" "lampejo/logging_setup.py"
    "lampejo/logs.py" "lampejo/loop.py" "lampejo/payload.py" "lampejo/snapshot.py"
    "snapshot_restore_py.py"
);
const NODE: Files = files!("node":
    "bootstrap.js" "client.js" "errors.js" "handler.js" "log.js" "loop.js"
    "streaming.js"
);

const JAVA: Files = files!("java":
    "com/amazonaws/services/lambda/runtime/Client.java"
    "com/amazonaws/services/lambda/runtime/ClientContext.java"
    "com/amazonaws/services/lambda/runtime/CognitoIdentity.java"
    "com/amazonaws/services/lambda/runtime/Context.java"
    "com/amazonaws/services/lambda/runtime/CustomPojoSerializer.java"
    "com/amazonaws/services/lambda/runtime/LambdaLogger.java"
    "com/amazonaws/services/lambda/runtime/LambdaRuntime.java"
    "com/amazonaws/services/lambda/runtime/LambdaRuntimeInternal.java"
    "com/amazonaws/services/lambda/runtime/RequestHandler.java"
    "com/amazonaws/services/lambda/runtime/RequestStreamHandler.java"
    "com/amazonaws/services/lambda/runtime/logging/LogFormat.java"
    "com/amazonaws/services/lambda/runtime/logging/LogLevel.java"
    "lampejo/Bean.java" "lampejo/Binder.java" "lampejo/Bootstrap.java" "lampejo/EventNames.java"
    "lampejo/Fault.java" "lampejo/Handler.java" "lampejo/Handlers.java" "lampejo/Invocation.java"
    "lampejo/InvocationContext.java" "lampejo/Json.java" "lampejo/JsonReader.java"
    "lampejo/JsonWriter.java" "lampejo/Log.java" "lampejo/Rehearsal.java" "lampejo/RuntimeApi.java"
    "lampejo/Scalars.java" "lampejo/Times.java" "lampejo/Trace.java" "lampejo/Types.java"
);

const RUBY: Files = files!("ruby":
    "bootstrap.rb" "lampejo/client.rb" "lampejo/context.rb" "lampejo/failure.rb" "lampejo/gems.rb"
    "lampejo/handler.rb" "lampejo/logger.rb" "lampejo/logs.rb" "lampejo/loop.rb"
    "lampejo/marshaller.rb"
);

/// Where the bootstraps are on the host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bootstraps {
    /// The folder of `bootstrap.py`.
    pub(crate) python: PathBuf,
    /// The folder of `bootstrap.js`.
    pub(crate) node: PathBuf,
    /// The folder of Java's sources.
    pub(crate) java: PathBuf,
    /// The folder of `bootstrap.rb`.
    pub(crate) ruby: PathBuf,
}

impl Bootstraps {
    /// The folder of a language's, of Java's the sources; provided runtimes bring their own.
    pub(crate) fn of(&self, language: Language) -> Option<&PathBuf> {
        match language {
            Language::Python => Some(&self.python),
            Language::Node => Some(&self.node),
            Language::Java => Some(&self.java),
            Language::Ruby => Some(&self.ruby),
            Language::Provided => None,
        }
    }

    /// Writes what is not there yet. The folder's name holds a digest of the files, so that
    /// instances of an older server keep theirs.
    pub(crate) fn write(data: &Path) -> io::Result<Bootstraps> {
        let folder = data.join("bootstrap");
        fs::create_dir_all(&folder)?;
        Ok(Bootstraps {
            python: write(&folder, "python", PYTHON)?,
            node: write(&folder, "node", NODE)?,
            java: write(&folder, "java", JAVA)?,
            ruby: write(&folder, "ruby", RUBY)?,
        })
    }
}

fn write(folder: &Path, language: &str, files: Files) -> io::Result<PathBuf> {
    let finished = folder.join(format!("{language}-{}", digest(files)));
    if finished.exists() {
        return Ok(finished);
    }
    let unfinished = folder.join(format!("unfinished-{}", ids::hex::<8>()));
    for (name, text) in files {
        let path = unfinished.join(name);
        let parent = path.parent().unwrap_or(&unfinished);
        fs::create_dir_all(parent)?;
        // Instances run as other users.
        fs::set_permissions(parent, fs::Permissions::from_mode(0o755))?;
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
    }
    fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o755))?;
    match fs::rename(&unfinished, &finished) {
        // Another server on the same data folder was first.
        Err(_) if finished.exists() => fs::remove_dir_all(&unfinished)?,
        renamed => renamed?,
    }
    Ok(finished)
}

fn digest(files: Files) -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for (name, text) in files {
        hash.update(name);
        hash.update(text);
    }
    hex::encode(&hash.finalize()[..8])
}
