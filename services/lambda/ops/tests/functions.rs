//! Creating, reading, updating, deleting.

use async_trait::async_trait;
use bus::{NoSuchObject, ObjectBytes, Objects};
use futures::TryStreamExt;

use super::*;
use crate::ops::{delete_function, list_functions, update_function_configuration};

async fn delete(world: &World, qualifier: Option<&str>) -> Result<i32, Error> {
    let qualifier = qualifier.map(str::to_owned);
    let input = api::DeleteFunctionInput { function_name: "f".to_owned(), qualifier };
    let deleted = delete_function::run(world.lambda.clone(), world.caller.clone(), input).await;
    deleted.map(|deleted| deleted.status_code.unwrap())
}

#[tokio::test]
async fn a_new_function_is_pending_in_its_answer_and_active_after() {
    let world = World::new().await;
    let created = world.create("f").await;
    assert_eq!(created.state, Some(api::State::Pending));
    assert_eq!(created.state_reason.as_deref(), Some("The function is being created."));
    assert_eq!(created.last_update_status, None);
    assert_eq!(created.function_arn.as_deref(), Some(ARN));
    assert!(created.last_modified.unwrap().ends_with("+0000"));

    let got = world.get("f").await.unwrap();
    let configuration = got.configuration.unwrap();
    assert_eq!(configuration.state, Some(api::State::Active));
    assert_eq!(configuration.last_update_status, Some(api::LastUpdateStatus::Successful));
    assert_eq!(configuration.code_size, Some(package("1").len() as i64));
    assert_eq!(configuration.environment, None);
    let logging = configuration.logging_config.unwrap();
    assert_eq!(logging.log_group.as_deref(), Some("/aws/lambda/f"));

    let location = got.code.unwrap().location.unwrap();
    let path = location.strip_prefix("http://127.0.0.1:4566").unwrap();
    let (length, zip) = world.lambda.code_download(path).await.unwrap();
    let zip = zip.try_collect::<Vec<_>>().await.unwrap().concat();
    assert_eq!((length, zip), (package("1").len() as u64, package("1").to_vec()));
    assert!(world.lambda.code_download(&path.replace("code/", "code/x")).await.is_none());

    let run = world.runnable(None).unwrap();
    assert_eq!(std::fs::read(run.function.code.join("bootstrap")).unwrap(), b"1");
    assert_eq!((run.function.version.as_str(), run.invoked_arn.as_str()), ("$LATEST", ARN));
}

#[tokio::test]
async fn functions_and_their_code_survive_a_restart() {
    let world = World::new().await;
    let created = world.create("f").await;
    let before = world.get("f").await.unwrap().configuration.unwrap().revision_id;
    let folders = world.code_folders();
    std::fs::remove_dir_all(&folders[0]).unwrap();
    std::fs::create_dir(world.folder.path().join("data/code/unfinished-x")).unwrap();
    let world = world.restarted().await;
    let got = world.get("f").await.unwrap().configuration.unwrap();
    assert_eq!((got.revision_id, got.code_sha256), (before, created.code_sha256));
    assert_eq!(world.code_folders(), folders);
    assert_eq!(std::fs::read(folders[0].join("bootstrap")).unwrap(), b"1");
}

#[tokio::test]
async fn a_name_is_taken_once_and_has_a_length() {
    let world = World::new().await;
    world.create("f").await;
    let error = world.try_create(function("f")).await.unwrap_err();
    assert_eq!(error.to_string(), "Function already exist: f");
    let error = world.try_create(function(&"x".repeat(65))).await.unwrap_err();
    assert!(error.to_string().ends_with("Member must have length less than or equal to 64"));
    assert_eq!(world.code_folders().len(), 1);
}

#[tokio::test]
async fn code_comes_from_one_source() {
    let world = World::new().await;
    let with = |code| api::CreateFunctionInput { code, ..function("f") };
    let error = world.try_create(with(api::FunctionCode::default())).await.unwrap_err();
    assert_eq!(error.to_string(), "Please provide a source for function code.");
    let both = api::FunctionCode {
        zip_file: Some(package("1")),
        s3_bucket: Some("b".to_owned()),
        ..api::FunctionCode::default()
    };
    assert!(matches!(world.try_create(with(both)).await, Err(Error::TwoSourcesOfCode)));
    let broken = Bytes::from_static(b"no zip");
    let broken = api::FunctionCode { zip_file: Some(broken), ..api::FunctionCode::default() };
    assert!(matches!(world.try_create(with(broken)).await, Err(Error::NotAPackage)));
    let large = Bytes::from(vec![0; crate::limits::ZIPPED_BYTES + 1]);
    let large = api::FunctionCode { zip_file: Some(large), ..api::FunctionCode::default() };
    assert!(matches!(world.try_create(with(large)).await, Err(Error::ZippedTooLarge)));
}

/// A bucket with one object.
struct OneObject;

#[async_trait]
impl Objects for OneObject {
    async fn get(
        &self,
        _: &Caller,
        _: &str,
        key: &str,
        _: Option<&str>,
        _: u64,
    ) -> Result<ObjectBytes, NoSuchObject> {
        if key == "k" {
            return Ok(ObjectBytes { bytes: package("bucket"), version: None });
        }
        let message = "The specified key does not exist.".to_owned();
        Err(NoSuchObject { code: "NoSuchKey".to_owned(), message })
    }

    async fn put(&self, _: &Caller, _: &str, _: &str, _: Bytes) -> Result<(), NoSuchObject> {
        Ok(())
    }
}

#[tokio::test]
async fn code_comes_from_a_bucket() {
    let world = World::new().await;
    world.lambda.bus.directory().offer_objects(Arc::new(OneObject));
    let with = |key: &str| api::CreateFunctionInput {
        code: api::FunctionCode {
            s3_bucket: Some("b".to_owned()),
            s3_key: Some(key.to_owned()),
            ..api::FunctionCode::default()
        },
        ..function("f")
    };
    assert_eq!(
        world.try_create(with("other")).await.unwrap_err().to_string(),
        "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified \
         key does not exist."
    );
    world.try_create(with("k")).await.unwrap();
    let run = world.runnable(None).unwrap();
    assert_eq!(std::fs::read(run.function.code.join("bootstrap")).unwrap(), b"bucket");
}

#[tokio::test]
async fn new_code_replaces_the_old_and_its_folder() {
    let world = World::new().await;
    let created = world.create("f").await;
    let old = world.runnable(None).unwrap();
    let wrong = Some("another".to_owned());
    let refused =
        world.update_code(api::UpdateFunctionCodeInput { revision_id: wrong, ..code("2") });
    assert!(matches!(refused.await, Err(Error::RevisionDiffers)));

    let dry = api::UpdateFunctionCodeInput { dry_run: Some(true), ..code("2") };
    let shown = world.update_code(dry).await.unwrap();
    assert_ne!(shown.code_sha256, created.code_sha256);
    assert_eq!(world.runnable(None).unwrap().function.key, old.function.key);

    // What was answered while the function was being created has passed.
    let passed = created.revision_id.clone();
    let update = api::UpdateFunctionCodeInput { revision_id: passed, ..code("2") };
    assert!(matches!(world.update_code(update.clone()).await, Err(Error::RevisionDiffers)));
    let right = world.get("f").await.unwrap().configuration.unwrap().revision_id;
    let update = api::UpdateFunctionCodeInput { revision_id: right, ..update };
    let updated = world.update_code(update).await.unwrap();
    assert_eq!(updated.last_update_status, Some(api::LastUpdateStatus::InProgress));
    assert_eq!(
        updated.last_update_status_reason_code,
        Some(api::LastUpdateStatusReasonCode::Creating)
    );
    let new = world.runnable(None).unwrap();
    assert_ne!(new.function.key, old.function.key);
    assert_eq!(std::fs::read(new.function.code.join("bootstrap")).unwrap(), b"2");
    // An instance that still runs the old code keeps its folder; the next change finds it gone.
    assert!(old.function.code.is_dir());
    let path = old.function.code.clone();
    drop(old);
    world.update_code(code("3")).await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn one_update_at_a_time() {
    let world = World::new().await;
    world.create("f").await;
    let key = crate::name::resolve(&world.caller, "f", None).unwrap().key;
    let updating = world.lambda.functions.begin_update(&key).unwrap();
    assert_eq!(
        world.update_code(code("2")).await.unwrap_err().to_string(),
        format!(
            "The operation cannot be performed at this time. An update is in progress for \
             resource: {ARN}"
        )
    );
    drop(updating);
    world.update_code(code("2")).await.unwrap();
}

#[tokio::test]
async fn a_configuration_changes_what_it_names() {
    let world = World::new().await;
    world.create("f").await;
    let before = world.runnable(None).unwrap().function;
    let input = api::UpdateFunctionConfigurationInput {
        function_name: "f".to_owned(),
        timeout: Some(9),
        ..api::UpdateFunctionConfigurationInput::default()
    };
    let update = |input| {
        update_function_configuration::run(world.lambda.clone(), world.caller.clone(), input)
    };
    let updated = update(input.clone()).await.unwrap();
    assert_eq!((updated.timeout, updated.memory_size), (Some(9), Some(128)));
    let after = world.runnable(None).unwrap().function;
    assert_ne!(before.key, after.key);
    assert_eq!((after.timeout.as_secs(), &after.code), (9, &before.code));
    let revision_id = Some("another".to_owned());
    let refused = update(api::UpdateFunctionConfigurationInput { revision_id, ..input }).await;
    assert!(matches!(refused, Err(Error::RevisionDiffers)));
}

#[tokio::test]
async fn a_deleted_function_leaves_nothing() {
    let world = World::new().await;
    world.create("f").await;
    assert_eq!(world.lambda.functions.blobs().len(), 1);
    let blob = world.store.blobs().path(*world.lambda.functions.blobs().iter().next().unwrap());
    assert!(matches!(delete(&world, Some("$LATEST")).await, Err(Error::LatestNotDeletable)));
    assert!(matches!(delete(&world, Some("PROD")).await, Err(Error::AliasNotDeletable)));
    assert_eq!(delete(&world, None).await.unwrap(), 204);
    assert!(!blob.exists());
    assert!(world.code_folders().is_empty());
    let text = format!("Function not found: {ARN}");
    assert_eq!(world.get("f").await.unwrap_err().to_string(), text);
    assert_eq!(world.runnable(None).unwrap_err().to_string(), text);
    assert_eq!(delete(&world, None).await.unwrap_err().to_string(), text);
    assert_eq!(delete(&world, Some("1")).await.unwrap_err().to_string(), text);
    let world = world.restarted().await;
    assert_eq!(world.get("f").await.unwrap_err().to_string(), text);
}

#[tokio::test]
async fn two_functions_of_one_package_share_its_folder() {
    let world = World::new().await;
    world.create("f").await;
    world.create("g").await;
    assert_eq!((world.code_folders().len(), world.lambda.functions.blobs().len()), (1, 2));
    delete(&world, None).await.unwrap();
    assert_eq!((world.code_folders().len(), world.lambda.functions.blobs().len()), (1, 1));
}

#[tokio::test]
async fn functions_are_listed_by_name_in_pages() {
    let world = World::new().await;
    for name in ["b", "a", "a-b"] {
        world.create(name).await;
    }
    world
        .try_create(api::CreateFunctionInput { publish: Some(true), ..function("c") })
        .await
        .unwrap();
    let list = async |input: api::ListFunctionsInput| {
        let listed = list_functions::run(world.lambda.clone(), world.caller.clone(), input).await;
        let listed = listed.unwrap();
        let arns = listed.functions.unwrap().into_iter().map(|it| it.function_arn.unwrap());
        let names = arns.map(|arn| arn.rsplit("function:").next().unwrap().to_owned());
        (names.collect::<Vec<_>>(), listed.next_marker)
    };
    let max_items = Some(2);
    let input = api::ListFunctionsInput { max_items, ..api::ListFunctionsInput::default() };
    let (first, marker) = list(input.clone()).await;
    assert_eq!(first, ["a", "a-b"]);
    let (second, marker) = list(api::ListFunctionsInput { marker, ..input }).await;
    assert_eq!((second, marker), (vec!["b".to_owned(), "c".to_owned()], None));
    let function_version = Some(api::FunctionVersion::All);
    let (all, _) =
        list(api::ListFunctionsInput { function_version, ..api::ListFunctionsInput::default() })
            .await;
    assert_eq!(all, ["a:$LATEST", "a-b:$LATEST", "b:$LATEST", "c:$LATEST", "c:1"]);
}
