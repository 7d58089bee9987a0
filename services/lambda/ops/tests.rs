//! Operations against a real store and a real pool.

mod chain;
mod coverage;
mod functions;
mod layers;
mod management;
mod mappings;
mod policies;
mod provisioned;
mod reload;
mod sharing;
mod signing;
mod stream;
mod stream_mappings;
mod streams;
mod tenants;
mod urls;
mod versions;

use std::{io::Write, path::PathBuf, sync::Arc};

use ::store::{DataFolder, Store};
use bus::{Bus, Directory};
use bytes::Bytes;
use kit::{AccountId, Caller, Clock, Region};
use model::lambda as api;
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::{
    Error, InstanceLogs, InstanceSurroundings, Lambda,
    functions::Runnable,
    ops::{create_function, get_function, update_function_code},
};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

/// A server's part that matters here, in a folder of its own.
struct World {
    lambda: Arc<Lambda>,
    caller: Caller,
    folder: tempfile::TempDir,
    store: Store,
}

impl World {
    async fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&DataFolder::open(folder.path().join("data")).unwrap()).unwrap();
        let clock = Clock::default();
        let mut caller = Caller::internal(AccountId::DEFAULT, Region::default(), clock.now());
        caller.endpoint = "http://127.0.0.1:4566".to_owned();
        let lambda = open(&store, &folder).await;
        World { lambda, caller, folder, store }
    }

    /// What a start would find in the same folder.
    async fn restarted(self) -> World {
        let lambda = open(&self.store, &self.folder).await;
        World { lambda, ..self }
    }

    async fn create(&self, name: &str) -> api::FunctionConfiguration {
        self.try_create(function(name)).await.unwrap()
    }

    async fn try_create(
        &self,
        input: api::CreateFunctionInput,
    ) -> Result<api::FunctionConfiguration, Error> {
        create_function::run(self.lambda.clone(), self.caller.clone(), input).await
    }

    async fn get(&self, name: &str) -> Result<api::GetFunctionOutput, Error> {
        let input = api::GetFunctionInput { function_name: name.to_owned(), qualifier: None };
        get_function::run(self.lambda.clone(), self.caller.clone(), input).await
    }

    async fn update_code(
        &self,
        input: api::UpdateFunctionCodeInput,
    ) -> Result<api::FunctionConfiguration, Error> {
        update_function_code::run(self.lambda.clone(), self.caller.clone(), input).await
    }

    fn runnable(&self, qualifier: Option<&str>) -> Result<Runnable, Error> {
        self.lambda.functions.runnable(AccountId::DEFAULT, &Region::default(), "f", qualifier)
    }

    fn code_folders(&self) -> Vec<PathBuf> {
        let folder = self.folder.path().join("data/code");
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

async fn open(store: &Store, folder: &tempfile::TempDir) -> Arc<Lambda> {
    let clock = Clock::default();
    let directory = Arc::new(Directory::default());
    let bus = Bus::new(store.clone(), clock.clone(), directory.clone());
    let config = runtime::Config {
        isolation: runtime::Isolation::Process,
        ..runtime::Config::new(folder.path().join("runtime"))
    };
    let logs = InstanceLogs::start(directory.clone(), clock.clone());
    let surroundings = InstanceSurroundings::new(directory);
    let pool = runtime::Pool::open(config, clock.clone(), logs, surroundings).unwrap();
    let (data, images) = (folder.path().join("data"), images::Settings::default());
    Lambda::open(store.clone(), bus, clock, pool, &data, images).await.unwrap()
}

/// A package of a bootstrap.
fn package(content: &str) -> Bytes {
    package_of("bootstrap", content)
}

/// A package of one file.
fn package_of(name: &str, content: &str) -> Bytes {
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().unix_permissions(0o755);
    writer.start_file(name, options).unwrap();
    writer.write_all(content.as_bytes()).unwrap();
    writer.finish().unwrap().into_inner().into()
}

fn function(name: &str) -> api::CreateFunctionInput {
    api::CreateFunctionInput {
        function_name: name.to_owned(),
        runtime: Some("provided.al2023".to_owned()),
        handler: Some("h".to_owned()),
        role: "arn:aws:iam::000000000000:role/r".to_owned(),
        code: api::FunctionCode { zip_file: Some(package("1")), ..api::FunctionCode::default() },
        ..api::CreateFunctionInput::default()
    }
}

fn code(content: &str) -> api::UpdateFunctionCodeInput {
    api::UpdateFunctionCodeInput {
        function_name: "f".to_owned(),
        zip_file: Some(package(content)),
        ..api::UpdateFunctionCodeInput::default()
    }
}
