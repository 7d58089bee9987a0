//! What is configured of a version beside its settings: how its runtime is updated, and how it is to
//! scale. Pure.

use model::lambda as api;
use serde::{Deserialize, Serialize};
use wire::Enumeration;

use crate::Error;

/// `UpdateRuntimeOn`, with the version of the runtime that `Manual` names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RuntimeManagement {
    /// The model's word; empty: `Auto`.
    mode: String,
    pub(crate) pinned: Option<String>,
}

/// `FunctionScalingConfig`: bounds of instances. Kept as what was requested; only functions on managed
/// instances, which are not built, would apply it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scaling {
    pub(crate) minimum: Option<i32>,
    pub(crate) maximum: Option<i32>,
}

impl RuntimeManagement {
    /// What a caller asks for. `present` is the only version of the runtime that this machine has.
    pub(crate) fn new(
        mode: api::UpdateRuntimeOn,
        pinned: Option<String>,
        present: &str,
    ) -> Result<RuntimeManagement, Error> {
        match (mode, pinned) {
            (api::UpdateRuntimeOn::Manual, None) => Err(Error::RuntimeVersionNeeded),
            (api::UpdateRuntimeOn::Manual, Some(arn)) if arn == present => {
                Ok(RuntimeManagement { mode: mode.as_str().to_owned(), pinned: Some(arn) })
            }
            (api::UpdateRuntimeOn::Manual, Some(given)) => {
                Err(Error::NoSuchRuntimeVersion { given, present: present.to_owned() })
            }
            (_, Some(_)) => Err(Error::RuntimeVersionNotManual),
            (_, None) => Ok(RuntimeManagement { mode: mode.as_str().to_owned(), pinned: None }),
        }
    }

    /// `UpdateRuntimeOn`.
    pub(crate) fn mode(&self) -> api::UpdateRuntimeOn {
        api::UpdateRuntimeOn::from_name(&self.mode).unwrap_or(api::UpdateRuntimeOn::Auto)
    }

    /// `RuntimeVersionConfig`: the version that runs, and an error if another one was pinned, which
    /// the machine has lost.
    pub(crate) fn shown(&self, present: String) -> api::RuntimeVersionConfig {
        let lost = self.pinned.as_ref().filter(|pinned| **pinned != present);
        let error = lost.map(|pinned| api::RuntimeVersionError {
            error_code: Some("InvalidRuntimeVersion".to_owned()),
            message: Some(format!("This machine no longer has {pinned}.")),
        });
        api::RuntimeVersionConfig { runtime_version_arn: Some(present), error }
    }
}

impl Scaling {
    /// Bounds in their order.
    pub(crate) fn new(config: &api::FunctionScalingConfig) -> Result<Scaling, Error> {
        let minimum = config.min_execution_environments;
        let maximum = config.max_execution_environments;
        match (minimum, maximum) {
            (Some(minimum), Some(maximum)) if minimum > maximum => Err(Error::ScalingBounds),
            _ => Ok(Scaling { minimum, maximum }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::UpdateRuntimeOn::{Auto, FunctionUpdate, Manual};

    const PRESENT: &str = "arn:aws:lambda:us-east-1::runtime:a";

    #[test]
    fn manual_and_only_manual_names_a_version_that_is_there() {
        let new =
            |mode, arn: Option<&str>| RuntimeManagement::new(mode, arn.map(str::to_owned), PRESENT);
        assert_eq!(new(Manual, Some(PRESENT)).unwrap().pinned.as_deref(), Some(PRESENT));
        assert_eq!(new(FunctionUpdate, None).unwrap().mode(), FunctionUpdate);
        assert!(matches!(new(Manual, None), Err(Error::RuntimeVersionNeeded)));
        assert!(matches!(new(Manual, Some("b")), Err(Error::NoSuchRuntimeVersion { .. })));
        assert!(matches!(new(Auto, Some(PRESENT)), Err(Error::RuntimeVersionNotManual)));
        assert_eq!(RuntimeManagement::default().mode(), Auto);
    }

    #[test]
    fn a_pinned_version_that_is_gone_is_told() {
        let pinned = RuntimeManagement::new(Manual, Some(PRESENT.to_owned()), PRESENT).unwrap();
        assert_eq!(pinned.shown(PRESENT.to_owned()).error, None);
        let shown = pinned.shown("arn:aws:lambda:us-east-1::runtime:b".to_owned());
        assert!(shown.error.unwrap().message.unwrap().contains(PRESENT));
    }

    #[test]
    fn bounds_are_in_order() {
        let new = |minimum, maximum| {
            Scaling::new(&api::FunctionScalingConfig {
                min_execution_environments: minimum,
                max_execution_environments: maximum,
            })
        };
        assert_eq!(new(Some(1), Some(1)).unwrap().maximum, Some(1));
        assert!(matches!(new(Some(2), Some(1)), Err(Error::ScalingBounds)));
    }
}
