//! `lampejo deploy DIR`: a folder becomes a function, packed, or with `--watch` where it lies.

mod package;

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::Args;
use http::Method;
use serde::{Deserialize, Serialize};

use crate::client;

const FUNCTIONS: &str = "/2015-03-31/functions";

/// What to make of which folder.
#[derive(Args)]
pub(crate) struct Flags {
    /// The folder with the code
    dir: PathBuf,
    /// The function's name [default: the folder's]
    #[arg(long)]
    name: Option<String>,
    /// Runtime, such as python3.13; needed for a new function
    #[arg(long)]
    runtime: Option<String>,
    /// Handler [default for a new function: what AWS's templates for the runtime have]
    #[arg(long)]
    handler: Option<String>,
    /// Role's ARN [default for a new function: a role of account 000000000000]
    #[arg(long)]
    role: Option<String>,
    /// Seconds that an invocation may take
    #[arg(long)]
    timeout: Option<u32>,
    /// Memory in MiB
    #[arg(long)]
    memory: Option<u32>,
    /// An environment variable; all that are to be must be named
    #[arg(long = "env", value_name = "NAME=VALUE")]
    environment: Vec<String>,
    /// A layer version's ARN; all that are to be must be named
    #[arg(long = "layer", value_name = "ARN")]
    layers: Vec<String>,
    /// Run the function out of the folder: what is saved there runs from the next invoke on. For a
    /// server on this machine
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    server: client::Server,
}

/// Where the code is: `Code` of `CreateFunction`, all of `UpdateFunctionCode`.
#[derive(Serialize)]
#[serde(untagged)]
enum Code {
    #[serde(rename_all = "PascalCase")]
    Package { zip_file: String },
    #[serde(rename_all = "PascalCase")]
    Folder { s3_bucket: &'static str, s3_key: String },
}

/// `UpdateFunctionConfiguration`, and what `CreateFunction` has besides.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Settings {
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handler: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_size: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<Environment>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    layers: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Environment {
    variables: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Creation {
    function_name: String,
    code: Code,
    #[serde(flatten)]
    settings: Settings,
}

/// What the server says of the function.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Deployed {
    function_arn: String,
    code_sha256: String,
}

/// Creates the function, or updates its code and what is named of its settings.
pub(crate) async fn run(flags: Flags) -> anyhow::Result<ExitCode> {
    let unreadable = || format!("there is no folder {}", flags.dir.display());
    let folder = flags.dir.canonicalize().with_context(unreadable)?;
    let name = match &flags.name {
        Some(name) => name.clone(),
        None => {
            folder.file_name().and_then(|it| it.to_str()).map(str::to_owned).unwrap_or_default()
        }
    };
    let code = match flags.watch {
        true => {
            let path = folder.to_str().context("the folder's path is not UTF-8")?.to_owned();
            Code::Folder { s3_bucket: "hot-reload", s3_key: path }
        }
        false => Code::Package { zip_file: STANDARD.encode(package::pack(&folder)?) },
    };
    let settings = settings(&flags)?;
    let path = format!("{FUNCTIONS}/{}", name.replace('/', "%2F").replace(':', "%3A"));
    let found = flags.server.send("lambda", Method::GET, &path, &[], "").await?;
    let deployed = match found.status {
        404 => create(&flags.server, name, code, settings).await?,
        _ => {
            found.text()?;
            update(&flags.server, &path, &code, &settings).await?
        }
    };
    println!("{}", deployed.function_arn);
    match flags.watch {
        true => {
            eprintln!("runs out of {}: what you save runs from the next invoke", folder.display())
        }
        false => eprintln!("code SHA-256 {}", deployed.code_sha256),
    }
    Ok(ExitCode::SUCCESS)
}

fn settings(flags: &Flags) -> anyhow::Result<Settings> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').context("--env takes NAME=VALUE")?;
        Ok((name.to_owned(), value.to_owned()))
    };
    let variables =
        flags.environment.iter().map(pair).collect::<anyhow::Result<BTreeMap<_, _>>>()?;
    Ok(Settings {
        runtime: flags.runtime.clone(),
        handler: flags.handler.clone(),
        role: flags.role.clone(),
        timeout: flags.timeout,
        memory_size: flags.memory,
        environment: (!variables.is_empty()).then_some(Environment { variables }),
        layers: flags.layers.clone(),
    })
}

async fn create(
    server: &client::Server,
    name: String,
    code: Code,
    settings: Settings,
) -> anyhow::Result<Deployed> {
    let Some(runtime) = settings.runtime.clone() else {
        bail!("there is no function {name} yet: a new one needs --runtime");
    };
    let handler = settings.handler.unwrap_or_else(|| usual_handler(&runtime).to_owned());
    let role =
        settings.role.unwrap_or_else(|| "arn:aws:iam::000000000000:role/function".to_owned());
    let settings = Settings { handler: Some(handler), role: Some(role), ..settings };
    let creation = Creation { function_name: name, code, settings };
    send(server, Method::POST, FUNCTIONS, &creation).await
}

async fn update(
    server: &client::Server,
    path: &str,
    code: &Code,
    settings: &Settings,
) -> anyhow::Result<Deployed> {
    let updated = send(server, Method::PUT, &format!("{path}/code"), code).await?;
    let body = serde_json::to_string(settings)?;
    match body.as_str() {
        // Nothing was named.
        "{}" => Ok(updated),
        _ => send(server, Method::PUT, &format!("{path}/configuration"), settings).await,
    }
}

async fn send(
    server: &client::Server,
    method: Method,
    path: &str,
    body: &impl Serialize,
) -> anyhow::Result<Deployed> {
    let headers = [("content-type", "application/json")];
    let body = serde_json::to_vec(body)?;
    let answer = server.send("lambda", method, path, &headers, body).await?;
    Ok(serde_json::from_str(&answer.text()?)?)
}

fn usual_handler(runtime: &str) -> &'static str {
    match runtime {
        _ if runtime.starts_with("python") => "lambda_function.lambda_handler",
        _ if runtime.starts_with("ruby") => "lambda_function.lambda_handler",
        _ if runtime.starts_with("provided") => "bootstrap",
        _ => "index.handler",
    }
}
