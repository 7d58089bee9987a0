//! The identifiers of Lambda's runtimes. Pure; whether this machine can run one is the pool's to say.
//!
//! Source: `Runtime` of the API model, and "Deprecated runtimes" of the developer guide for those
//! whose "block function create" date has passed. The next such date is 2027-02-01, for
//! `nodejs16.x` to `nodejs20.x`, `python3.8` to `python3.10` and others.

use crate::Error;

const CURRENT: &[&str] = &[
    "nodejs16.x",
    "nodejs18.x",
    "nodejs20.x",
    "nodejs22.x",
    "nodejs24.x",
    "nodejs26.x",
    "java8.al2",
    "java8.al2023",
    "java11",
    "java11.al2023",
    "java17",
    "java17.al2023",
    "java21",
    "java25",
    "python3.8",
    "python3.9",
    "python3.10",
    "python3.11",
    "python3.12",
    "python3.13",
    "python3.14",
    "python3.15",
    "dotnet6",
    "dotnet8",
    "dotnet10",
    "ruby3.2",
    "ruby3.3",
    "ruby3.4",
    "ruby4.0",
    "provided.al2",
    "provided.al2023",
];

const BLOCKED: &[&str] = &[
    "nodejs",
    "nodejs4.3",
    "nodejs4.3-edge",
    "nodejs6.10",
    "nodejs8.10",
    "nodejs10.x",
    "nodejs12.x",
    "nodejs14.x",
    "java8",
    "python2.7",
    "python3.6",
    "python3.7",
    "dotnetcore1.0",
    "dotnetcore2.0",
    "dotnetcore2.1",
    "dotnetcore3.1",
    "ruby2.5",
    "ruby2.7",
    "go1.x",
    "provided",
];

/// Whether functions of this runtime may be created.
pub(crate) fn check(runtime: &str) -> Result<(), Error> {
    if runtime == "custom" {
        return Err(Error::NotBuilt("customer-managed runtimes"));
    }
    if CURRENT.contains(&runtime) {
        return Ok(());
    }
    if BLOCKED.contains(&runtime) {
        return Err(Error::DeprecatedRuntime(runtime.to_owned()));
    }
    Err(Error::UnknownRuntime(runtime.to_owned(), CURRENT.join(", ")))
}

/// Whether SnapStart knows a runtime: Java from 11, Python from 3.12, .NET from 8 ("Lambda
/// SnapStart").
pub(crate) fn has_snap_start(runtime: &str) -> bool {
    const WITHOUT: &[&str] = &[
        "java8.al2",
        "java8.al2023",
        "python3.8",
        "python3.9",
        "python3.10",
        "python3.11",
        "dotnet6",
    ];
    let language = ["java", "python", "dotnet"].iter().any(|it| runtime.starts_with(it));
    language && CURRENT.contains(&runtime) && !WITHOUT.contains(&runtime)
}

/// Whether there is, or ever was, a runtime of this name: what layers may say they fit.
pub(crate) fn is_known(runtime: &str) -> bool {
    CURRENT.contains(&runtime) || BLOCKED.contains(&runtime)
}

/// Every runtime, as validation errors list them.
pub(crate) fn all() -> String {
    [CURRENT, BLOCKED].concat().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_unknown_runtimes_are_refused_in_awss_words() {
        check("python3.11").unwrap();
        assert_eq!(
            check("python3.7").unwrap_err().to_string(),
            "The runtime parameter of python3.7 is no longer supported for creating or updating \
             AWS Lambda functions. We recommend you use a supported runtime while creating or \
             updating functions."
        );
        let text = check("cobol").unwrap_err().to_string();
        assert!(text.starts_with("Value cobol at 'runtime' failed to satisfy constraint: Member"));
        assert!(text.ends_with("provided.al2023] or be a valid ARN"));
    }
}
