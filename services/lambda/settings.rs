//! What a user configures of a function, and what may be configured. Pure.
//!
//! Kept and shown, but without effect: `VpcConfig` (functions reach what the server's network
//! setting lets them), `KMSKeyArn`, `SnapStart` of other languages than Python,
//! `Architectures` (code runs as what the machine is). `environment` and `logging` hold rules of
//! their own.

pub(crate) mod environment;
pub(crate) mod logging;

use std::collections::BTreeMap;

use kit::Arn;
use model::lambda as api;
use serde::{Deserialize, Serialize};
use wire::Enumeration;

pub(crate) use logging::Logging;

use crate::{
    Error, image::ImageConfig, invoke::destination, layers::used::UsedLayer, limits, runtimes,
};

/// The settings of one version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) runtime: String,
    pub(crate) role: String,
    pub(crate) handler: String,
    pub(crate) description: String,
    pub(crate) timeout_seconds: u32,
    pub(crate) memory_mib: u32,
    pub(crate) ephemeral_mib: u32,
    /// `None`: never set, and not shown.
    pub(crate) environment: Option<BTreeMap<String, String>>,
    pub(crate) dead_letter: Option<Arn>,
    /// X-Ray samples, rather than passing through.
    pub(crate) traced: bool,
    pub(crate) logging: Logging,
    pub(crate) vpc: Option<Vpc>,
    pub(crate) kms_key: Option<String>,
    pub(crate) snap_start: bool,
    /// `x86_64` or `arm64`.
    pub(crate) architecture: String,
    /// `TenancyConfig`: no two tenants share an instance. Set when the function is created.
    pub(crate) per_tenant: bool,
    /// In order; found and checked by the operations.
    pub(crate) layers: Vec<UsedLayer>,
    /// Of a function whose code is an image, and only of those.
    pub(crate) image: Option<ImageConfig>,
}

/// `VpcConfig`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Vpc {
    pub(crate) subnets: Vec<String>,
    pub(crate) security_groups: Vec<String>,
    pub(crate) ipv6: bool,
}

/// The most ephemeral storage that SnapStart goes with.
const SNAP_START_EPHEMERAL_MIB: u32 = 512;

impl Default for Settings {
    /// Lambda's defaults.
    fn default() -> Settings {
        Settings {
            runtime: String::new(),
            role: String::new(),
            handler: String::new(),
            description: String::new(),
            timeout_seconds: 3,
            memory_mib: 128,
            ephemeral_mib: 512,
            environment: None,
            dead_letter: None,
            traced: false,
            logging: Logging::default(),
            vpc: None,
            kms_key: None,
            snap_start: false,
            architecture: "x86_64".to_owned(),
            per_tenant: false,
            layers: Vec::new(),
            image: None,
        }
    }
}

impl Settings {
    /// The settings of a new function.
    pub(crate) fn created(input: api::CreateFunctionInput) -> Result<Settings, Error> {
        let image = input.package_type == Some(api::PackageType::Image);
        let image = image.then(ImageConfig::default);
        let mut settings = Settings { image, ..Settings::default() };
        if let Some([architecture, ..]) = input.architectures.as_deref() {
            settings.architecture = architecture.as_str().to_owned();
        }
        settings.per_tenant = input.tenancy_config.is_some();
        settings.apply(api::UpdateFunctionConfigurationInput {
            role: Some(input.role),
            handler: input.handler,
            description: input.description,
            timeout: input.timeout,
            memory_size: input.memory_size,
            vpc_config: input.vpc_config,
            environment: input.environment,
            runtime: input.runtime,
            dead_letter_config: input.dead_letter_config,
            kms_key_arn: input.kms_key_arn,
            tracing_config: input.tracing_config,
            layers: input.layers,
            image_config: input.image_config,
            file_system_configs: input.file_system_configs,
            ephemeral_storage: input.ephemeral_storage,
            snap_start: input.snap_start,
            logging_config: input.logging_config,
            capacity_provider_config: input.capacity_provider_config,
            durable_config: input.durable_config,
            runtime_config: input.runtime_config,
            accelerator_config: input.accelerator_config,
            ..api::UpdateFunctionConfigurationInput::default()
        })?;
        let runs = !settings.runtime.is_empty() && !settings.handler.is_empty();
        if settings.image.is_none() && !runs {
            return Err(Error::RuntimeAndHandlerNeeded);
        }
        Ok(settings)
    }

    /// Changes what the input names.
    pub(crate) fn apply(
        &mut self,
        input: api::UpdateFunctionConfigurationInput,
    ) -> Result<(), Error> {
        self.check_package_type(&input)?;
        refuse(&[
            ("file systems", input.file_system_configs.is_some_and(|it| !it.is_empty())),
            ("managed instances", input.capacity_provider_config.is_some()),
            ("durable functions", input.durable_config.is_some()),
            ("customer-managed runtimes", input.runtime_config.is_some()),
            ("accelerators", input.accelerator_config.is_some()),
        ])?;
        if let Some(config) = input.image_config {
            self.image = Some(config.into());
        }
        if let Some(runtime) = input.runtime {
            runtimes::check(&runtime)?;
            self.runtime = runtime;
        }
        set(&mut self.role, input.role);
        set(&mut self.handler, input.handler);
        set(&mut self.description, input.description);
        let storage = input.ephemeral_storage.map(|it| it.size);
        set(&mut self.timeout_seconds, at_most(input.timeout, "timeout", limits::TIMEOUT_SECONDS)?);
        set(&mut self.memory_mib, at_most(input.memory_size, "memorySize", limits::MEMORY_MIB)?);
        set(
            &mut self.ephemeral_mib,
            at_most(storage, "ephemeralStorage.size", limits::EPHEMERAL_MIB)?,
        );
        if let Some(environment) = input.environment {
            self.environment =
                Some(environment::checked(environment.variables.unwrap_or_default())?);
        }
        if let Some(letter) = input.dead_letter_config {
            self.dead_letter = dead_letter(letter.target_arn)?;
        }
        if let Some(tracing) = input.tracing_config {
            self.traced = tracing.mode == Some(api::TracingMode::Active);
        }
        if let Some(logging) = input.logging_config {
            self.logging.apply(logging);
        }
        if let Some(vpc) = input.vpc_config {
            self.vpc = Some(vpc.into());
        }
        if let Some(key) = input.kms_key_arn {
            self.kms_key = Some(key).filter(|key| !key.is_empty());
        }
        if let Some(snap_start) = input.snap_start {
            self.snap_start = snap_start.apply_on == Some(api::SnapStartApplyOn::PublishedVersions);
        }
        self.check_together()
    }

    /// What may not be configured together.
    fn check_together(&self) -> Result<(), Error> {
        if self.snap_start {
            self.check_snap_start()?;
        }
        if self.snap_start && self.per_tenant {
            return Err(Error::NotForTenants("SnapStart"));
        }
        Ok(())
    }
}

impl Settings {
    /// What SnapStart does not go with ("Improving startup performance with Lambda SnapStart").
    fn check_snap_start(&self) -> Result<(), Error> {
        let refused = |what: &str| Err(Error::NotForSnapStart(what.to_owned()));
        if self.image.is_some() {
            return refused("ContainerImage");
        }
        if !runtimes::has_snap_start(&self.runtime) {
            return refused(&self.runtime);
        }
        if self.ephemeral_mib > SNAP_START_EPHEMERAL_MIB {
            return refused("Ephemeral storage greater than 512 MB");
        }
        Ok(())
    }

    /// An image brings its own runtime; nothing else has settings of an image.
    fn check_package_type(
        &self,
        input: &api::UpdateFunctionConfigurationInput,
    ) -> Result<(), Error> {
        let layers = input.layers.as_ref().is_some_and(|layers| !layers.is_empty());
        match &self.image {
            Some(_) if layers || input.runtime.is_some() || input.handler.is_some() => {
                Err(Error::NotOfImages)
            }
            None if input.image_config.is_some() => Err(Error::OnlyOfImages),
            _ => Ok(()),
        }
    }
}

fn refuse(asked: &[(&'static str, bool)]) -> Result<(), Error> {
    match asked.iter().find(|(_, asked)| *asked) {
        Some((what, _)) => Err(Error::NotBuilt(what)),
        None => Ok(()),
    }
}

fn set<T>(value: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *value = given;
    }
}

/// The model's bounds are those of managed instances; ordinary functions have lower ones.
fn at_most(value: Option<i32>, member: &'static str, most: i32) -> Result<Option<u32>, Error> {
    match value {
        Some(value) if value > most => Err(Error::TooGreat { value, member, most }),
        value => Ok(value.and_then(|value| u32::try_from(value).ok())),
    }
}

/// A queue or topic; an empty text takes it away.
fn dead_letter(target: Option<String>) -> Result<Option<Arn>, Error> {
    let target = target.filter(|target| !target.is_empty());
    target.map(|target| destination::dead_letter(&target)).transpose()
}

impl From<api::VpcConfig> for Vpc {
    /// An empty configuration takes the function out of its network, and is still shown.
    fn from(config: api::VpcConfig) -> Vpc {
        Vpc {
            subnets: config.subnet_ids.unwrap_or_default(),
            security_groups: config.security_group_ids.unwrap_or_default(),
            ipv6: config.ipv6_allowed_for_dual_stack.unwrap_or(false),
        }
    }
}

#[cfg(test)]
mod tests;
