//! What an image says of itself: the part of its configuration that a function goes by. Its user is
//! not: Lambda runs all code as a user of its own.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::Error;

/// `ENTRYPOINT`, `CMD`, `WORKDIR` and `ENV` of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// The arguments after them.
    pub command: Vec<String>,
    /// Where the program starts; empty: `/`.
    pub working_directory: String,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct File {
    config: Option<Config>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Config {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    working_dir: Option<String>,
    env: Option<Vec<String>>,
}

impl Defaults {
    /// Reads the configuration file of an image.
    pub(crate) fn read(file: &[u8]) -> Result<Defaults, Error> {
        let file: File = serde_json::from_slice(file)
            .map_err(|error| Error::Unsupported(format!("its configuration ({error})")))?;
        let config = file.config.unwrap_or_default();
        let pair = |variable: String| {
            let (name, value) = variable.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        };
        Ok(Defaults {
            entrypoint: config.entrypoint.unwrap_or_default(),
            command: config.cmd.unwrap_or_default(),
            working_directory: config.working_dir.unwrap_or_default(),
            environment: config.env.unwrap_or_default().into_iter().filter_map(pair).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_builders_write_is_read() {
        let file = br#"{"architecture":"amd64","os":"linux","config":{"Env":["A=1=2","B=","odd"],
            "Entrypoint":["/e"],"Cmd":null,"WorkingDir":"/w","User":"app"},"history":[]}"#;
        let defaults = Defaults::read(file).unwrap();
        assert_eq!((defaults.entrypoint, defaults.command), (vec!["/e".to_owned()], vec![]));
        assert_eq!(defaults.working_directory, "/w");
        let variables = [("A", "1=2"), ("B", "")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(defaults.environment, BTreeMap::from(variables));
        assert_eq!(Defaults::read(b"{}").unwrap(), Defaults::default());
        assert!(Defaults::read(b"[").is_err());
    }
}
