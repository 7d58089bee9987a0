//! Code in developers' folders.

use super::*;

fn hot(folder: &std::path::Path) -> api::CreateFunctionInput {
    let code = api::FunctionCode {
        s3_bucket: Some("hot-reload".to_owned()),
        s3_key: Some(folder.display().to_string()),
        ..api::FunctionCode::default()
    };
    api::CreateFunctionInput { code, ..function("f") }
}

/// A world that lets a client of this machine name folders, and one with code.
async fn world_with_folder() -> (World, tempfile::TempDir) {
    let mut world = World::new().await;
    world.caller.source_ip = "127.0.0.1".to_owned();
    world.lambda.allow_hot_reload();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bootstrap"), "1").unwrap();
    (world, folder)
}

async fn key(world: &World) -> String {
    let runnable = world.runnable(None).unwrap();
    world.lambda.current(&runnable).await.unwrap().key.clone()
}

#[tokio::test]
async fn a_folder_is_run_where_it_is_and_each_of_its_states_apart() {
    let (world, folder) = world_with_folder().await;
    world.try_create(hot(folder.path())).await.unwrap();
    assert_eq!(world.runnable(None).unwrap().function.code, folder.path());
    let first = key(&world).await;
    assert_eq!(key(&world).await, first);
    std::fs::write(folder.path().join("bootstrap"), "22").unwrap();
    let second = key(&world).await;
    assert_ne!(second, first);
    assert_eq!(key(&world).await, second);

    let world = world.restarted().await;
    world.lambda.allow_hot_reload();
    assert_eq!(world.runnable(None).unwrap().function.code, folder.path());
    // A package takes the folder's place.
    world.update_code(code("3")).await.unwrap();
    let runnable = world.runnable(None).unwrap();
    assert!(runnable.reload.is_none());
    assert_eq!(std::fs::read(runnable.function.code.join("bootstrap")).unwrap(), b"3");
}

#[tokio::test]
async fn only_a_client_of_this_machine_may_name_a_folder() {
    let (mut world, folder) = world_with_folder().await;
    let text = |result: Result<_, Error>| result.unwrap_err().to_string();
    for key in ["relative", "/no/such/folder", ""] {
        let mut input = hot(folder.path());
        input.code.s3_key = Some(key.to_owned());
        assert!(text(world.try_create(input).await).ends_with(&format!("{key} is none.")));
    }
    for source in ["169.254.100.6", "192.0.2.1", ""] {
        world.caller.source_ip = source.to_owned();
        let refused = world.try_create(hot(folder.path())).await;
        assert!(matches!(refused, Err(Error::HotReloadOff)), "{source}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_allow_folders_runs_none() {
    let (world, folder) = world_with_folder().await;
    world.try_create(hot(folder.path())).await.unwrap();
    let world = world.restarted().await;
    let runnable = world.runnable(None).unwrap();
    assert!(matches!(world.lambda.current(&runnable).await, Err(Error::HotReloadOff)));
    let update = api::UpdateFunctionCodeInput {
        function_name: "f".to_owned(),
        s3_bucket: Some("hot-reload".to_owned()),
        s3_key: Some(folder.path().display().to_string()),
        ..api::UpdateFunctionCodeInput::default()
    };
    assert!(matches!(world.update_code(update).await, Err(Error::HotReloadOff)));
}
