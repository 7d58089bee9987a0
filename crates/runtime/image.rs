//! How a container image starts: its root, its working directory, and what is said when its program
//! cannot be run.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    faults::Fault,
    function::Image,
    sandbox::{ENTER_FOLDER, ImageRoot, StartError},
    start::{EXEC, NotStarted, exec_reason, start_error},
};

/// The program, of an image that has one.
pub(crate) fn check(image: &Image) -> Result<PathBuf, NotStarted> {
    image.entrypoint.iter().chain(&image.command).next().map(PathBuf::from).ok_or_else(|| {
        let text = "the image has neither an entry point nor a command";
        NotStarted::Function(Fault::Entrypoint(text.into()), 0.0)
    })
}

/// What the sandbox shows of it.
pub(crate) fn root(image: &Image) -> ImageRoot {
    ImageRoot { tree: image.root.clone(), folder: folder(image) }
}

/// What the sandbox shows of an installed runtime, which the function's code and layers lie in.
pub(crate) fn base(root: &Path) -> ImageRoot {
    ImageRoot { tree: root.to_owned(), folder: "/var/task".into() }
}

fn folder(image: &Image) -> PathBuf {
    // A relative one is relative to the root, as container engines have it.
    PathBuf::from("/").join(&image.working_directory)
}

/// What the kernel says of an image is the user's to know.
pub(crate) fn not_started(image: &Image, error: StartError) -> NotStarted {
    let fault = match error.step {
        EXEC => Fault::Entrypoint(exec_text(image, &error.source)),
        ENTER_FOLDER => {
            let reason = match error.source.kind() {
                io::ErrorKind::NotADirectory => "not a directory",
                _ => exec_reason(&error.source),
            };
            Fault::WorkingDir(format!("chdir {}: {reason}", folder(image).display()))
        }
        _ => return NotStarted::Machine(start_error(error.step, error.source)),
    };
    NotStarted::Function(fault, 0.0)
}

fn exec_text(image: &Image, error: &io::Error) -> String {
    let program = image.entrypoint.iter().chain(&image.command).next();
    let program = program.map_or("", String::as_str);
    if !program.contains('/') && error.kind() == io::ErrorKind::NotFound {
        return format!("exec: {program:?}: executable file not found in $PATH");
    }
    format!("fork/exec {program}: {}", exec_reason(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(program: &str, working_directory: &str) -> Image {
        Image {
            entrypoint: vec![program.to_owned()],
            working_directory: working_directory.to_owned(),
            ..Image::default()
        }
    }

    fn said(image: &Image, step: &'static str, kind: io::ErrorKind) -> (String, String) {
        match not_started(image, StartError { step, source: kind.into() }) {
            NotStarted::Function(fault, _) => {
                let payload = String::from_utf8(fault.payload("r").to_vec()).unwrap();
                (fault.error_type(), payload)
            }
            NotStarted::Machine(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_program_that_cannot_be_run_is_told_in_lambdas_words() {
        let found = said(&image("/e.sh", ""), EXEC, io::ErrorKind::NotFound);
        assert_eq!(found.0, "Runtime.InvalidEntrypoint");
        assert!(found.1.contains("Error: fork/exec /e.sh: no such file or directory"));
        let (_, text) = said(&image("py", ""), EXEC, io::ErrorKind::NotFound);
        assert!(text.contains(r#"exec: \"py\": executable file not found in $PATH"#), "{text}");
        let found = said(&image("/e", "app"), ENTER_FOLDER, io::ErrorKind::NotFound);
        assert_eq!(found.0, "Runtime.InvalidWorkingDir");
        assert!(found.1.contains("Error: chdir /app: no such file or directory"));
    }

    #[test]
    fn an_image_without_a_program_says_so() {
        assert!(check(&Image::default()).is_err());
        let command = Image { command: vec!["/c".into()], ..Image::default() };
        assert_eq!(check(&command).ok(), Some("/c".into()));
    }
}
