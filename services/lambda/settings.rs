//! What a user configures of a function, and what may be configured. Pure.
//!
//! Kept and shown, but without effect: `VpcConfig` (functions reach what the server's network
//! setting lets them), `KMSKeyArn`, `SnapStart`, `Architectures` (code runs as what the machine is).

use std::collections::BTreeMap;

use kit::Arn;
use model::lambda as api;
use serde::{Deserialize, Serialize};
use wire::Enumeration;

use crate::{Error, limits, runtimes};

/// Variables that Lambda sets itself ("Defined runtime environment variables").
const RESERVED_VARIABLES: &[&str] = &[
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
];

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
}

/// `LoggingConfig`; levels are the model's words and only there for JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Logging {
    pub(crate) json: bool,
    pub(crate) application_level: Option<String>,
    pub(crate) system_level: Option<String>,
    /// `None`: `/aws/lambda/` and the function's name.
    pub(crate) group: Option<String>,
}

/// `VpcConfig`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Vpc {
    pub(crate) subnets: Vec<String>,
    pub(crate) security_groups: Vec<String>,
    pub(crate) ipv6: bool,
}

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
        }
    }
}

impl Settings {
    /// The settings of a new function.
    pub(crate) fn created(input: api::CreateFunctionInput) -> Result<Settings, Error> {
        refuse(&[
            ("container images", input.package_type == Some(api::PackageType::Image)),
            ("code signing", input.code_signing_config_arn.is_some()),
            ("tenant isolation", input.tenancy_config.is_some()),
            ("container images", input.image_config.is_some()),
        ])?;
        let mut settings = Settings::default();
        if let Some([architecture, ..]) = input.architectures.as_deref() {
            settings.architecture = architecture.as_str().to_owned();
        }
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
        if settings.runtime.is_empty() || settings.handler.is_empty() {
            return Err(Error::RuntimeAndHandlerNeeded);
        }
        Ok(settings)
    }

    /// Changes what the input names.
    pub(crate) fn apply(
        &mut self,
        input: api::UpdateFunctionConfigurationInput,
    ) -> Result<(), Error> {
        refuse(&[
            ("layers", input.layers.is_some_and(|layers| !layers.is_empty())),
            ("file systems", input.file_system_configs.is_some_and(|it| !it.is_empty())),
            ("container images", input.image_config.is_some()),
            ("managed instances", input.capacity_provider_config.is_some()),
            ("durable functions", input.durable_config.is_some()),
            ("customer-managed runtimes", input.runtime_config.is_some()),
            ("accelerators", input.accelerator_config.is_some()),
        ])?;
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
            self.environment = Some(checked(environment.variables.unwrap_or_default())?);
        }
        if let Some(letter) = input.dead_letter_config {
            self.dead_letter = dead_letter(letter.target_arn)?;
        }
        if let Some(tracing) = input.tracing_config {
            self.traced = tracing.mode == Some(api::TracingMode::Active);
        }
        if let Some(logging) = input.logging_config {
            self.logging = logging.into();
        }
        if let Some(vpc) = input.vpc_config {
            self.vpc = Vpc::of(vpc);
        }
        if let Some(key) = input.kms_key_arn {
            self.kms_key = Some(key).filter(|key| !key.is_empty());
        }
        if let Some(snap_start) = input.snap_start {
            self.snap_start = snap_start.apply_on == Some(api::SnapStartApplyOn::PublishedVersions);
        }
        Ok(())
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

/// Variables that Lambda takes.
fn checked(variables: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Error> {
    let reserved = variables.keys().map(String::as_str);
    let reserved: Vec<&str> = reserved.filter(|key| RESERVED_VARIABLES.contains(key)).collect();
    if !reserved.is_empty() {
        return Err(Error::ReservedVariables(reserved.join(", ")));
    }
    let measured = serde_json::to_string(&variables).expect("text maps are always JSON");
    if measured.len() > limits::ENVIRONMENT_BYTES {
        return Err(Error::EnvironmentTooLarge(measured));
    }
    Ok(variables)
}

/// A queue or topic; an empty text takes it away.
fn dead_letter(target: Option<String>) -> Result<Option<Arn>, Error> {
    let target = target.filter(|target| !target.is_empty());
    let parsed = target.map(|target| target.parse::<Arn>()).transpose();
    parsed.map_err(|error| Error::InvalidParameter(error.to_string()))
}

impl From<api::LoggingConfig> for Logging {
    fn from(config: api::LoggingConfig) -> Logging {
        let json = config.log_format == Some(api::LogFormat::Json);
        // AWS shows both levels for JSON, set or not.
        let application = config.application_log_level.unwrap_or(api::ApplicationLogLevel::Info);
        let system = config.system_log_level.unwrap_or(api::SystemLogLevel::Info);
        Logging {
            json,
            application_level: json.then(|| application.as_str().to_owned()),
            system_level: json.then(|| system.as_str().to_owned()),
            group: config.log_group,
        }
    }
}

impl Vpc {
    /// An empty configuration takes the function out of its network.
    fn of(config: api::VpcConfig) -> Option<Vpc> {
        let vpc = Vpc {
            subnets: config.subnet_ids.unwrap_or_default(),
            security_groups: config.security_group_ids.unwrap_or_default(),
            ipv6: config.ipv6_allowed_for_dual_stack.unwrap_or(false),
        };
        (!vpc.subnets.is_empty() || !vpc.security_groups.is_empty()).then_some(vpc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> api::CreateFunctionInput {
        api::CreateFunctionInput {
            runtime: Some("python3.11".to_owned()),
            handler: Some("index.handler".to_owned()),
            role: "arn:aws:iam::000000000000:role/r".to_owned(),
            ..api::CreateFunctionInput::default()
        }
    }

    fn with_variables(pairs: &[(&str, &str)]) -> api::CreateFunctionInput {
        let variables = pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let environment = Some(api::Environment { variables: Some(variables) });
        api::CreateFunctionInput { environment, ..input() }
    }

    #[test]
    fn what_is_not_named_has_lambdas_defaults() {
        let settings = Settings::created(input()).unwrap();
        assert_eq!(
            (settings.timeout_seconds, settings.memory_mib, settings.ephemeral_mib),
            (3, 128, 512)
        );
        assert_eq!(settings.environment, None);
        assert_eq!(settings.architecture, "x86_64");
    }

    #[test]
    fn runtime_and_handler_are_needed() {
        for missing in [
            api::CreateFunctionInput { runtime: None, ..input() },
            api::CreateFunctionInput { handler: None, ..input() },
        ] {
            let refused = Settings::created(missing);
            assert!(matches!(refused, Err(Error::RuntimeAndHandlerNeeded)));
        }
    }

    #[test]
    fn the_environment_has_a_size_and_reserved_names() {
        let big = "x".repeat(limits::ENVIRONMENT_BYTES - r#"{"A":""}"#.len());
        Settings::created(with_variables(&[("A", &big)])).unwrap();
        let error = Settings::created(with_variables(&[("A", &format!("{big}y"))])).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("exceeded the 4KB limit. String measured: {\"A\":\"xxx"), "{text}");
        let error = Settings::created(with_variables(&[("AWS_REGION", "a"), ("_HANDLER", "b")]));
        let text = error.unwrap_err().to_string();
        assert!(
            text.ends_with("Reserved keys used in this request: AWS_REGION, _HANDLER"),
            "{text}"
        );
    }

    #[test]
    fn ordinary_functions_have_the_lower_bounds() {
        let error = Settings::created(api::CreateFunctionInput { timeout: Some(901), ..input() });
        assert_eq!(
            error.unwrap_err().to_string(),
            "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: \
             Member must have value less than or equal to 900"
        );
        let large = api::CreateFunctionInput { memory_size: Some(10_241), ..input() };
        assert!(matches!(Settings::created(large), Err(Error::TooGreat { most: 10_240, .. })));
    }

    #[test]
    fn an_update_changes_what_it_names() {
        let mut settings = Settings::created(with_variables(&[("A", "1")])).unwrap();
        let before = settings.clone();
        settings.apply(api::UpdateFunctionConfigurationInput::default()).unwrap();
        assert_eq!(settings, before);
        let letter = |target: &str| api::UpdateFunctionConfigurationInput {
            dead_letter_config: Some(api::DeadLetterConfig { target_arn: Some(target.to_owned()) }),
            ..api::UpdateFunctionConfigurationInput::default()
        };
        settings.apply(letter("arn:aws:sqs:us-east-1:000000000000:q")).unwrap();
        assert!(settings.dead_letter.is_some());
        settings.apply(letter("")).unwrap();
        assert_eq!(settings, before);
    }

    #[test]
    fn what_is_not_built_says_so() {
        let layers = Some(vec!["arn:aws:lambda:us-east-1:000000000000:layer:l:1".to_owned()]);
        let error = Settings::created(api::CreateFunctionInput { layers, ..input() }).unwrap_err();
        assert_eq!(error.to_string(), "lampejo does not support layers yet.");
    }
}
