//! Functions in the form of answers.

use kit::ids;
use model::lambda as api;
use wire::Enumeration;

use crate::{
    alias::Alias,
    function::Function,
    image::ImageConfig,
    invoke::concurrency::FunctionKey,
    layers::used::UsedLayer,
    settings::{Logging, Settings, Vpc},
    snapshot::Snapshot,
    version::Version,
};

const INIT_FAILED: &str = "An error occurred during function initialization.";
const BEING_CREATED: &str = "The function is being created.";

/// Where a function is in its life, as an answer shows it. Code is unpacked and durable before the
/// answer of the operation that brought it, which shows the function as being at work all the same:
/// clients wait for the change of state as they do for AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// In the answer that creates it.
    Creating,
    /// In the answer that changes it.
    Updating,
    /// At any later time.
    Settled,
    /// In lists, which show no state.
    Listed,
}

/// A version's configuration, under the ARN by which it was asked for.
pub(crate) fn configuration(
    key: &FunctionKey,
    version: &Version,
    qualifier: Option<&str>,
    moment: Moment,
) -> api::FunctionConfiguration {
    let settings = &version.settings;
    let configuration = api::FunctionConfiguration {
        function_name: Some(key.name.clone()),
        function_arn: Some(key.qualified(qualifier)),
        runtime: Some(settings.runtime.clone()).filter(|runtime| !runtime.is_empty()),
        role: Some(settings.role.clone()),
        handler: Some(settings.handler.clone()).filter(|handler| !handler.is_empty()),
        code_size: i64::try_from(version.code.bytes()).ok(),
        description: Some(version.description().to_owned()),
        timeout: i32::try_from(settings.timeout_seconds).ok(),
        memory_size: i32::try_from(settings.memory_mib).ok(),
        last_modified: Some(version.modified.iso8601().replace('Z', "+0000")),
        code_sha256: Some(version.code.shown_sha256()),
        version: Some(version.number.to_string()),
        vpc_config: settings.vpc.as_ref().map(vpc),
        dead_letter_config: dead_letter(settings),
        environment: environment(settings),
        kms_key_arn: settings.kms_key.clone(),
        tracing_config: Some(api::TracingConfigResponse { mode: Some(tracing(settings)) }),
        revision_id: Some(version.revision.clone()),
        package_type: Some(match settings.image {
            Some(_) => api::PackageType::Image,
            None => api::PackageType::Zip,
        }),
        image_config_response: settings.image.as_ref().and_then(ImageConfig::shown),
        architectures: api::Architecture::from_name(&settings.architecture).map(|it| vec![it]),
        ephemeral_storage: Some(api::EphemeralStorage { size: settings.ephemeral_mib as i32 }),
        snap_start: Some(snap_start(version)),
        logging_config: Some(logging(&settings.logging, &key.name)),
        tenancy_config: settings.per_tenant.then(api::TenancyConfig::default),
        layers: layers(settings),
        ..api::FunctionConfiguration::default()
    };
    match (moment, version.snapshot) {
        (Moment::Listed, _) => configuration,
        (_, Snapshot::Pending) => at(configuration, Moment::Creating),
        (_, Snapshot::Failed) => failed(configuration),
        _ => at(configuration, moment),
    }
}

/// A version whose init has failed: no instance can be restored.
fn failed(configuration: api::FunctionConfiguration) -> api::FunctionConfiguration {
    let (reason, code) = (Some(INIT_FAILED.to_owned()), api::StateReasonCode::FunctionError);
    api::FunctionConfiguration {
        state: Some(api::State::Failed),
        state_reason: reason.clone(),
        state_reason_code: Some(code),
        last_update_status: Some(api::LastUpdateStatus::Failed),
        last_update_status_reason: reason,
        last_update_status_reason_code: Some(api::LastUpdateStatusReasonCode::FunctionError),
        ..configuration
    }
}

fn at(configuration: api::FunctionConfiguration, moment: Moment) -> api::FunctionConfiguration {
    match moment {
        Moment::Listed => configuration,
        Moment::Creating => api::FunctionConfiguration {
            state: Some(api::State::Pending),
            state_reason: Some(BEING_CREATED.to_owned()),
            state_reason_code: Some(api::StateReasonCode::Creating),
            revision_id: passing_revision(),
            ..configuration
        },
        Moment::Updating => api::FunctionConfiguration {
            state: Some(api::State::Active),
            last_update_status: Some(api::LastUpdateStatus::InProgress),
            last_update_status_reason: Some(BEING_CREATED.to_owned()),
            last_update_status_reason_code: Some(api::LastUpdateStatusReasonCode::Creating),
            revision_id: passing_revision(),
            ..configuration
        },
        Moment::Settled => api::FunctionConfiguration {
            state: Some(api::State::Active),
            last_update_status: Some(api::LastUpdateStatus::Successful),
            ..configuration
        },
    }
}

/// The revision of a function that is at work: it has another one as soon as the work is done.
fn passing_revision() -> Option<String> {
    Some(ids::uuid())
}

fn vpc(vpc: &Vpc) -> api::VpcConfigResponse {
    api::VpcConfigResponse {
        subnet_ids: Some(vpc.subnets.clone()),
        security_group_ids: Some(vpc.security_groups.clone()),
        // Which network the subnets are in is nobody's to know here.
        vpc_id: Some(String::new()),
        ipv6_allowed_for_dual_stack: Some(vpc.ipv6),
    }
}

fn dead_letter(settings: &Settings) -> Option<api::DeadLetterConfig> {
    let target = settings.dead_letter.as_ref()?;
    Some(api::DeadLetterConfig { target_arn: Some(target.to_string()) })
}

/// Not shown if there is none.
fn layers(settings: &Settings) -> Option<Vec<api::Layer>> {
    let layers: Vec<api::Layer> = settings.layers.iter().map(UsedLayer::view).collect();
    Some(layers).filter(|layers| !layers.is_empty())
}

fn environment(settings: &Settings) -> Option<api::EnvironmentResponse> {
    let variables = settings.environment.clone()?;
    Some(api::EnvironmentResponse { variables: Some(variables), error: None })
}

fn tracing(settings: &Settings) -> api::TracingMode {
    match settings.traced {
        true => api::TracingMode::Active,
        false => api::TracingMode::PassThrough,
    }
}

fn snap_start(version: &Version) -> api::SnapStartResponse {
    let apply_on = match version.settings.snap_start {
        true => api::SnapStartApplyOn::PublishedVersions,
        false => api::SnapStartApplyOn::None,
    };
    let optimization_status = Some(match version.snapshot {
        Snapshot::On => api::SnapStartOptimizationStatus::On,
        _ => api::SnapStartOptimizationStatus::Off,
    });
    api::SnapStartResponse { apply_on: Some(apply_on), optimization_status }
}

fn logging(logging: &Logging, function: &str) -> api::LoggingConfig {
    let application = logging.application_level.as_deref();
    let system = logging.system_level.as_deref();
    let format = if logging.json { api::LogFormat::Json } else { api::LogFormat::Text };
    let group = logging.group.clone().unwrap_or_else(|| format!("/aws/lambda/{function}"));
    api::LoggingConfig {
        log_format: Some(format),
        application_log_level: application.and_then(api::ApplicationLogLevel::from_name),
        system_log_level: system.and_then(api::SystemLogLevel::from_name),
        log_group: Some(group),
    }
}

/// An alias.
pub(crate) fn alias(function: &Function, name: &str, alias: &Alias) -> api::AliasConfiguration {
    let weights = alias.second.map(|(second, weight)| api::AliasRoutingConfiguration {
        additional_version_weights: Some([(second.to_string(), weight)].into()),
    });
    api::AliasConfiguration {
        alias_arn: Some(function.key.qualified(Some(name))),
        name: Some(name.to_owned()),
        function_version: Some(alias.version.to_string()),
        description: Some(alias.description.clone()),
        routing_config: weights,
        revision_id: Some(alias.revision.clone()),
    }
}
