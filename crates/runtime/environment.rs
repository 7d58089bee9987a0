//! The environment variables of an instance, exactly as Lambda sets them.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use crate::{
    function::{Credentials, Function, Image},
    languages::{Language, Provider},
    sandbox::View,
    start::Initialization,
};

/// What an instance's environment is made of.
pub(crate) struct Surrounded<'a> {
    /// Whose instance.
    pub(crate) function: &'a Function,
    /// What runs it.
    pub(crate) provider: &'a Provider,
    /// The role's credentials.
    pub(crate) credentials: &'a Credentials,
    /// The log stream.
    pub(crate) log_stream: &'a str,
    /// What the instance is started for.
    pub(crate) initialization: Initialization,
    /// The bootstrap's folder on the host, if the runtime has one of ours.
    pub(crate) bootstrap: Option<&'a PathBuf>,
    /// The AWS SDK's folder on the host, if it is there.
    pub(crate) sdk: Option<&'a PathBuf>,
}

/// Where programs are in an image that does not say; what container engines take.
const IMAGE_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// All variables. The image's and the user's go over Lambda's defaults, but not over its reserved
/// ones.
pub(crate) fn variables(of: &Surrounded<'_>, view: &View) -> Vec<(OsString, OsString)> {
    let mut all = match &of.function.image {
        Some(image) => image_defaults(image, view),
        None => defaults(of, view),
    };
    if let Some((installed, _)) = &of.provider.installed {
        all.extend(installed.environment.clone());
    }
    all.extend(of.function.environment.clone());
    all.extend(reserved(of, view));
    all.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn defaults(of: &Surrounded<'_>, view: &View) -> BTreeMap<String, String> {
    let task = task_root(of, view);
    let opt = layer_folders(of, view);
    let in_layers =
        |folder: &str| opt.iter().map(|layer| format!(":{layer}/{folder}")).collect::<String>();
    let (programs, libraries) = (in_layers("bin"), in_layers("lib"));
    let path = format!("/var/lang/bin:/usr/local/bin:/usr/bin/:/bin{programs}");
    let mut all = tracing_defaults(view);
    all.extend(to_map([("LANG", "en_US.UTF-8"), ("PATH", path.as_str())]));
    let libraries = format!(
        "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:{task}:{task}/lib{libraries}"
    );
    all.insert("LD_LIBRARY_PATH".into(), libraries);
    all.insert("AWS_ENDPOINT_URL".into(), format!("http://{}", view.aws_endpoint));
    if of.provider.language == Language::Java {
        // The JVM takes the names of files in the locale's encoding, and hosts may lack LANG's.
        all.insert("LC_ALL".into(), "C.UTF-8".into());
    }
    if of.provider.language == Language::Node {
        let major = of.provider.version.split('.').next().unwrap_or_default();
        let modules =
            |layer| format!("{layer}/nodejs/node{major}/node_modules:{layer}/nodejs/node_modules:");
        let layers: String = opt.iter().map(modules).collect();
        let mut path = format!("{layers}/var/runtime/node_modules:/var/runtime:{task}");
        if let Some(sdk) = of.sdk {
            path = format!("{path}:{}", view.path(sdk).display());
        }
        all.insert("NODE_PATH".into(), path);
    }
    if of.provider.language == Language::Ruby {
        // By the name of the runtime: its gems are for that version, whatever serves it.
        let version = of.function.runtime.trim_start_matches("ruby");
        let gems = in_layers(&format!("ruby/gems/{version}.0"));
        all.insert("GEM_PATH".into(), format!("{task}/vendor/bundle/ruby/{version}.0{gems}"));
        let libraries = in_layers("ruby/lib");
        all.insert("RUBYLIB".into(), format!("{task}:/var/runtime/lib{libraries}"));
    }
    all
}

/// An image knows best where its programs and libraries are.
fn image_defaults(image: &Image, view: &View) -> BTreeMap<String, String> {
    let mut all = tracing_defaults(view);
    all.insert("PATH".into(), IMAGE_PATH.into());
    all.insert("AWS_ENDPOINT_URL".into(), format!("http://{}", view.aws_endpoint));
    all.extend(image.environment.clone());
    all
}

fn tracing_defaults(view: &View) -> BTreeMap<String, String> {
    let (address, port) = (view.xray.to_string(), view.xray.port().to_string());
    to_map([
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"),
        ("AWS_XRAY_DAEMON_ADDRESS", &address),
        ("_AWS_XRAY_DAEMON_ADDRESS", &view.xray.ip().to_string()),
        ("_AWS_XRAY_DAEMON_PORT", &port),
    ])
}

fn reserved(of: &Surrounded<'_>, view: &View) -> BTreeMap<String, String> {
    let function = of.function;
    let memory = function.memory_mib.to_string();
    let api = view.runtime_api.to_string();
    let task = task_root(of, view);
    let runtime = of.bootstrap.map_or_else(
        || "/var/runtime".to_owned(),
        |folder| view.path(folder).to_string_lossy().into_owned(),
    );
    let mut all = changing(of);
    all.extend(to_map([
        ("_HANDLER", function.handler_name()),
        ("AWS_DEFAULT_REGION", function.region.as_str()),
        ("AWS_REGION", function.region.as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", &function.name),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
        ("AWS_LAMBDA_FUNCTION_VERSION", &function.version),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", of.initialization.as_str()),
        ("AWS_LAMBDA_RUNTIME_API", &api),
        ("LAMBDA_TASK_ROOT", &task),
        ("LAMBDA_RUNTIME_DIR", &runtime),
        ("TZ", ":UTC"),
    ]));
    if of.initialization != Initialization::SnapStart {
        // Functions with SnapStart have none ("Monitoring for Lambda SnapStart").
        all.extend(to_map([
            ("AWS_LAMBDA_LOG_GROUP_NAME", function.log_group.as_str()),
            ("AWS_LAMBDA_LOG_STREAM_NAME", of.log_stream),
        ]));
    }
    if of.function.image.is_none() && !function.runtime.starts_with("provided") {
        all.insert("AWS_EXECUTION_ENV".into(), format!("AWS_Lambda_{}", function.runtime));
    }
    if function.logging.json {
        let level = match function.logging.application_level.as_str() {
            "" => "INFO",
            level => level,
        };
        all.insert("AWS_LAMBDA_LOG_FORMAT".into(), "JSON".into());
        all.insert("AWS_LAMBDA_LOG_LEVEL".into(), level.into());
    } else {
        all.insert("AWS_LAMBDA_LOG_FORMAT".into(), "Text".into());
    }
    all
}

/// What differs between the instances of a snapshot.
pub(crate) fn changing(of: &Surrounded<'_>) -> BTreeMap<String, String> {
    to_map([
        ("AWS_ACCESS_KEY", of.credentials.access_key_id.as_str()),
        ("AWS_ACCESS_KEY_ID", &of.credentials.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &of.credentials.secret_access_key),
        ("AWS_SESSION_TOKEN", &of.credentials.session_token),
    ])
}

/// Where the instance sees its layers, the uppermost first: a sandbox sees them merged, a plain
/// process one by one.
fn layer_folders(of: &Surrounded<'_>, view: &View) -> Vec<String> {
    let layers = of.function.layers.iter().rev().map(|layer| view.path(layer));
    let mut folders: Vec<String> = layers.map(|it| it.to_string_lossy().into_owned()).collect();
    folders.dedup();
    if folders.is_empty() {
        // As Lambda has it, layers or not.
        folders.push("/opt".to_owned());
    }
    folders
}

fn task_root(of: &Surrounded<'_>, view: &View) -> String {
    if of.function.image.is_some() {
        return "/var/task".to_owned();
    }
    view.path(&of.function.code).to_string_lossy().into_owned()
}

fn to_map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
