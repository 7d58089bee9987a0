//! Layers: their versions, who may use them, and the functions that do.

use futures::TryStreamExt;

use super::*;
use crate::ops::{
    delete_function, layers, list_functions, update_function_configuration, versions,
};

const LAYER: &str = "arn:aws:lambda:us-east-1:000000000000:layer:l";

fn layer(name: &str, content: &str) -> api::PublishLayerVersionInput {
    api::PublishLayerVersionInput {
        layer_name: name.to_owned(),
        content: api::LayerVersionContentInput {
            zip_file: Some(package(content)),
            ..api::LayerVersionContentInput::default()
        },
        ..api::PublishLayerVersionInput::default()
    }
}

impl World {
    fn parts(&self) -> (Arc<Lambda>, Caller) {
        (self.lambda.clone(), self.caller.clone())
    }

    fn other_account(&self) -> Caller {
        Caller::internal("123456789012".parse().unwrap(), Region::default(), self.caller.now)
    }

    async fn publish_layer(
        &self,
        input: api::PublishLayerVersionInput,
    ) -> Result<api::PublishLayerVersionOutput, Error> {
        let (lambda, caller) = self.parts();
        layers::publish::run(lambda, caller, input).await
    }

    async fn layer_version(
        &self,
        caller: Caller,
        name: &str,
        number: i64,
    ) -> Result<api::GetLayerVersionOutput, Error> {
        let layer_name = name.to_owned();
        let input = api::GetLayerVersionInput { layer_name, version_number: number };
        layers::get::run(self.lambda.clone(), caller, input).await
    }

    async fn delete_layer(&self, name: &str, version_number: i64) -> Result<(), Error> {
        let (lambda, caller) = self.parts();
        let input = api::DeleteLayerVersionInput { layer_name: name.to_owned(), version_number };
        layers::delete::run(lambda, caller, input).await.map(drop)
    }

    async fn layer_numbers(&self, input: api::ListLayerVersionsInput) -> Vec<i64> {
        let (lambda, caller) = self.parts();
        let listed = layers::list::versions(lambda, caller, input).await.unwrap();
        listed.layer_versions.unwrap().into_iter().map(|it| it.version.unwrap()).collect()
    }

    async fn set_layers(&self, arns: &[&str]) -> Result<api::FunctionConfiguration, Error> {
        let (lambda, caller) = self.parts();
        let input = api::UpdateFunctionConfigurationInput {
            function_name: "f".to_owned(),
            layers: Some(arns.iter().map(|arn| (*arn).to_owned()).collect()),
            ..api::UpdateFunctionConfigurationInput::default()
        };
        update_function_configuration::run(lambda, caller, input).await
    }

    async fn allow(&self, sid: &str, principal: &str) -> Result<String, Error> {
        let (lambda, caller) = self.parts();
        let input = permission(sid, principal);
        layers::permissions::add(lambda, caller, input).await.map(|it| it.revision_id.unwrap())
    }
}

fn permission(sid: &str, principal: &str) -> api::AddLayerVersionPermissionInput {
    api::AddLayerVersionPermissionInput {
        layer_name: "l".to_owned(),
        version_number: 1,
        statement_id: sid.to_owned(),
        action: "lambda:GetLayerVersion".to_owned(),
        principal: principal.to_owned(),
        ..api::AddLayerVersionPermissionInput::default()
    }
}

fn of(name: &str) -> api::ListLayerVersionsInput {
    let layer_name = name.to_owned();
    api::ListLayerVersionsInput { layer_name, ..api::ListLayerVersionsInput::default() }
}

#[tokio::test]
async fn a_layer_version_shows_what_was_given_and_no_more() {
    let world = World::new().await;
    let plain = world.publish_layer(layer("l", "1")).await.unwrap();
    assert_eq!(plain.layer_arn.as_deref(), Some(LAYER));
    assert_eq!(plain.layer_version_arn.as_deref(), Some(format!("{LAYER}:1").as_str()));
    assert_eq!((plain.version, plain.description.as_deref()), (Some(1), Some("")));
    assert_eq!((plain.license_info, plain.compatible_runtimes), (None, None));
    assert!(plain.created_date.unwrap().ends_with("+0000"));
    let input = api::PublishLayerVersionInput {
        description: Some("mine".to_owned()),
        license_info: Some("MIT".to_owned()),
        compatible_runtimes: Some(vec!["python3.12".to_owned()]),
        compatible_architectures: Some(vec![api::Architecture::Arm64]),
        ..layer(LAYER, "2")
    };
    let published = world.publish_layer(input).await.unwrap();
    assert_eq!(published.version, Some(2));
    assert_eq!(published.compatible_architectures, Some(vec![api::Architecture::Arm64]));

    let world = world.restarted().await;
    let got = world.layer_version(world.caller.clone(), "l", 2).await.unwrap();
    assert_eq!(got.license_info.as_deref(), Some("MIT"));
    let content = got.content.unwrap();
    assert_eq!(content.code_sha256, published.content.unwrap().code_sha256);
    assert_eq!(content.code_size, Some(package("2").len() as i64));
    let location = content.location.unwrap();
    let path = location.strip_prefix("http://127.0.0.1:4566").unwrap();
    let (length, zip) = world.lambda.code_download(path).await.unwrap();
    let zip = zip.try_collect::<Vec<_>>().await.unwrap().concat();
    assert_eq!((length, zip), (package("2").len() as u64, package("2").to_vec()));
    let input = api::GetLayerVersionByArnInput { arn: format!("{LAYER}:1") };
    let (lambda, caller) = world.parts();
    assert_eq!(layers::get::by_arn(lambda, caller, input).await.unwrap().version, Some(1));
}

#[tokio::test]
async fn what_is_no_layer_is_refused() {
    let world = World::new().await;
    let unknown = Some(vec!["python3.12".to_owned(), "cobol".to_owned()]);
    let input = api::PublishLayerVersionInput { compatible_runtimes: unknown, ..layer("l", "1") };
    let text = world.publish_layer(input).await.unwrap_err().to_string();
    assert!(
        text.starts_with(
            "1 validation error detected: Value '[python3.12, cobol]' at 'compatibleRuntimes' \
             failed to satisfy constraint: Member must satisfy enum value set: [nodejs16.x, "
        ),
        "{text}"
    );
    let mut input = layer("l", "1");
    input.content.zip_file = Some(Bytes::from_static(b"no zip"));
    assert!(matches!(world.publish_layer(input).await, Err(Error::NotAPackage)));
    let mut input = layer("l", "1");
    input.content.s3_object_storage_mode = Some(api::S3ObjectStorageMode::Reference);
    let text = world.publish_layer(input).await.unwrap_err().to_string();
    assert_eq!(text, "lampejo does not support S3ObjectStorageMode REFERENCE yet.");
    for number in [0, 7] {
        let got = world.layer_version(world.caller.clone(), "l", number).await.unwrap_err();
        let refused = matches!(got, Error::LayerVersionBelowOne | Error::NoSuchResource);
        assert!(refused, "{got}");
    }
    assert!(world.code_folders().is_empty());
    assert!(world.lambda.named_blobs().is_empty());
}

#[tokio::test]
async fn layers_are_listed_by_name_and_versions_from_the_newest() {
    let world = World::new().await;
    let fits = |name: &str, runtime: &str| api::PublishLayerVersionInput {
        compatible_runtimes: Some(vec![runtime.to_owned()]),
        ..layer(name, runtime)
    };
    for input in [fits("b", "python3.12"), fits("a", "nodejs20.x"), fits("b", "nodejs20.x")] {
        world.publish_layer(input).await.unwrap();
    }
    let list = async |runtime: Option<&str>| -> Vec<(String, i64)> {
        let (lambda, caller) = world.parts();
        let compatible_runtime = runtime.map(str::to_owned);
        let input = api::ListLayersInput { compatible_runtime, ..api::ListLayersInput::default() };
        let listed = layers::list::layers(lambda, caller, input).await.unwrap().layers.unwrap();
        let newest = |it: api::LayersListItem| it.latest_matching_version.unwrap().version.unwrap();
        listed.into_iter().map(|it| (it.layer_name.clone().unwrap(), newest(it))).collect()
    };
    assert_eq!(list(None).await, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    assert_eq!(list(Some("python3.12")).await, [("b".to_owned(), 1)]);
    let page = api::ListLayerVersionsInput { max_items: Some(1), ..of("b") };
    let (lambda, caller) = world.parts();
    let first = layers::list::versions(lambda, caller, page.clone()).await.unwrap();
    assert_eq!(first.layer_versions.unwrap()[0].version, Some(2));
    let rest = api::ListLayerVersionsInput { marker: first.next_marker, ..page };
    assert_eq!(world.layer_numbers(rest).await, [1]);
    assert!(world.layer_numbers(of("none")).await.is_empty());
    let (lambda, caller) = world.parts();
    let compatible_runtime = Some("cobol".to_owned());
    let input = api::ListLayersInput { compatible_runtime, ..api::ListLayersInput::default() };
    let refused = layers::list::layers(lambda, caller, input).await.unwrap_err().to_string();
    assert!(refused.contains("Value 'cobol' at 'compatibleRuntime' failed"), "{refused}");
}

#[tokio::test]
async fn numbers_are_never_used_again() {
    let world = World::new().await;
    world.publish_layer(layer("l", "1")).await.unwrap();
    world.publish_layer(layer("l", "1")).await.unwrap();
    for number in [1, 2, 2, 9] {
        world.delete_layer("l", number).await.unwrap();
    }
    world.delete_layer("none", 1).await.unwrap();
    assert!(matches!(world.delete_layer("l", 0).await, Err(Error::LayerVersionBelowOne)));
    assert!(world.layer_numbers(of("l")).await.is_empty());
    assert!(world.code_folders().is_empty());
    let world = world.restarted().await;
    assert_eq!(world.publish_layer(layer("l", "1")).await.unwrap().version, Some(3));
}

#[tokio::test]
async fn a_function_has_its_layers_and_its_versions_keep_them() {
    let world = World::new().await;
    for (name, content) in [("l", "low"), ("m", "high")] {
        world.publish_layer(layer(name, content)).await.unwrap();
    }
    let (l, m) = (format!("{LAYER}:1"), format!("{}m:1", &LAYER[..LAYER.len() - 1]));
    let arns = vec![l.clone(), m.clone()];
    let input =
        api::CreateFunctionInput { layers: Some(arns), publish: Some(true), ..function("f") };
    let created = world.try_create(input).await.unwrap().layers.unwrap();
    assert_eq!(created[1].arn.as_deref(), Some(m.as_str()));
    assert_eq!(created[1].code_size, Some(package("high").len() as i64));

    let updated = world.set_layers(&[&m]).await.unwrap();
    assert_eq!(updated.layers.unwrap().len(), 1);
    let world = world.restarted().await;
    let tops = |qualifier: Option<&str>| -> Vec<String> {
        let layers = &world.runnable(qualifier).unwrap().function.layers;
        layers.iter().map(|it| std::fs::read_to_string(it.join("bootstrap")).unwrap()).collect()
    };
    assert_eq!(
        (tops(None), tops(Some("1"))),
        (vec!["high".into()], vec!["low".into(), "high".into()])
    );
    let (lambda, caller) = world.parts();
    let listed = list_functions::run(lambda, caller, api::ListFunctionsInput::default()).await;
    assert_eq!(listed.unwrap().functions.unwrap()[0].layers.as_ref().unwrap().len(), 1);

    assert_eq!(world.set_layers(&[]).await.unwrap().layers, None);
    assert!(tops(None).is_empty());
    let (lambda, caller) = world.parts();
    let input = api::PublishVersionInput { function_name: "f".into(), ..Default::default() };
    let second = versions::publish(lambda, caller, input).await.unwrap();
    assert_eq!((second.version.as_deref(), second.layers), (Some("2"), None));
}

#[tokio::test]
async fn a_deleted_layer_lives_on_in_the_functions_that_use_it() {
    let world = World::new().await;
    world.publish_layer(layer("l", "shared")).await.unwrap();
    world.create("f").await;
    world.set_layers(&[&format!("{LAYER}:1")]).await.unwrap();
    world.delete_layer("l", 1).await.unwrap();
    let missing = world.set_layers(&[&format!("{LAYER}:1")]).await.unwrap_err().to_string();
    assert_eq!(missing, format!("Layer version {LAYER}:1 does not exist."));
    let folders = world.code_folders().len();
    // What a crash may have taken comes back from the package.
    let unpacked = world.runnable(None).unwrap().function.layers[0].clone();
    std::fs::remove_dir_all(&unpacked).unwrap();
    let world = world.restarted().await;
    assert_eq!((world.code_folders().len(), folders), (2, 2));
    assert_eq!(std::fs::read(unpacked.join("bootstrap")).unwrap(), b"shared");
    let (lambda, caller) = world.parts();
    let input = api::DeleteFunctionInput { function_name: "f".into(), qualifier: None };
    delete_function::run(lambda, caller, input).await.unwrap();
    assert!(world.code_folders().is_empty());
    assert!(world.lambda.named_blobs().is_empty());
}

#[tokio::test]
async fn code_and_layers_have_one_size_together() {
    let world = World::new().await;
    world.publish_layer(layer("l", "L")).await.unwrap();
    world.create("f").await;
    // As if the layer had unpacked to so much: a hole costs no room.
    let sha256 = world.lambda.layers.packages()[0].sha256.clone();
    let unpacked = world.lambda.code.path(&sha256);
    let file = std::fs::File::create(unpacked.join("large")).unwrap();
    file.set_len(crate::limits::UNZIPPED_BYTES - 2).unwrap();
    let arn = format!("{LAYER}:1");
    world.set_layers(&[&arn]).await.unwrap();
    let text = world.update_code(code("12345")).await.unwrap_err().to_string();
    assert_eq!(
        text,
        "Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. \
         The actual size is 262144004 bytes."
    );
    world.set_layers(&[]).await.unwrap();
    world.update_code(code("12345")).await.unwrap();
    assert!(matches!(world.set_layers(&[&arn]).await, Err(Error::CodeAndLayersTooLarge(_))));
}

#[tokio::test]
async fn a_permission_opens_a_layer_to_another_account() {
    let world = World::new().await;
    world.publish_layer(layer("l", "1")).await.unwrap();
    let other = world.other_account();
    let forbidden = world.layer_version(other.clone(), LAYER, 1).await.unwrap_err();
    assert!(matches!(forbidden, Error::LayerForbidden { .. }), "{forbidden}");
    // What is not there is not told to others.
    let forbidden = world.layer_version(other.clone(), LAYER, 9).await.unwrap_err();
    assert!(matches!(forbidden, Error::LayerForbidden { .. }), "{forbidden}");
    let organization = api::AddLayerVersionPermissionInput {
        organization_id: Some("o-0123456789".to_owned()),
        ..permission("org", "*")
    };
    let (lambda, caller) = world.parts();
    let added = layers::permissions::add(lambda, caller, organization).await.unwrap();
    assert_eq!(
        added.statement.unwrap(),
        format!(
            r#"{{"Sid":"org","Effect":"Allow","Principal":"*","Action":"lambda:GetLayerVersion","Resource":"{LAYER}:1","Condition":{{"StringEquals":{{"aws:PrincipalOrgID":"o-0123456789"}}}}}}"#
        )
    );
    assert!(world.layer_version(other.clone(), LAYER, 1).await.is_err());
    world.allow("one", "123456789012").await.unwrap();
    let world = world.restarted().await;
    assert!(world.layer_version(other.clone(), LAYER, 1).await.is_ok());
    let input =
        api::CreateFunctionInput { layers: Some(vec![format!("{LAYER}:1")]), ..function("g") };
    create_function::run(world.lambda.clone(), other.clone(), input).await.unwrap();
    let (lambda, input) = (world.lambda.clone(), permission("two", "*"));
    let input = api::AddLayerVersionPermissionInput { layer_name: LAYER.to_owned(), ..input };
    let refused = layers::permissions::add(lambda, other, input).await.unwrap_err();
    assert!(matches!(refused, Error::OtherAccount { .. }), "{refused}");
}

#[tokio::test]
async fn a_layers_policy_has_revisions() {
    let world = World::new().await;
    world.publish_layer(layer("l", "1")).await.unwrap();
    let get = |number| {
        let (lambda, caller) = world.parts();
        let layer_name = "l".to_owned();
        let input = api::GetLayerVersionPolicyInput { layer_name, version_number: number };
        layers::permissions::get(lambda, caller, input)
    };
    let remove = |sid: &str, revision_id: Option<&str>| {
        let (lambda, caller) = world.parts();
        let input = api::RemoveLayerVersionPermissionInput {
            layer_name: "l".to_owned(),
            version_number: 1,
            statement_id: sid.to_owned(),
            revision_id: revision_id.map(str::to_owned),
        };
        layers::permissions::remove(lambda, caller, input)
    };
    let text = |error: Error| error.to_string();
    assert_eq!(text(get(1).await.unwrap_err()), "No policy is associated with the given resource.");
    assert_eq!(text(get(2).await.unwrap_err()), format!("Layer version {LAYER}:2 does not exist."));
    let first = world.allow("s1", "*").await.unwrap();
    assert!(matches!(world.allow("s1", "*").await, Err(Error::StatementExists(_))));
    let (lambda, caller) = world.parts();
    let stale = Some("stale".to_owned());
    let input = api::AddLayerVersionPermissionInput { revision_id: stale, ..permission("s2", "*") };
    let refused = layers::permissions::add(lambda, caller, input).await.unwrap_err();
    assert_eq!(
        text(refused),
        "The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy \
         API to retrieve the latest Revision Id"
    );
    assert_eq!(get(1).await.unwrap().revision_id, Some(first));
    let refused = remove("s1", Some("stale")).await;
    assert!(matches!(refused, Err(Error::LayerPolicyRevisionDiffers)));
    let missing = remove("none", None).await.unwrap_err();
    assert_eq!(text(missing), "Statement none is not found in resource policy.");
    remove("s1", None).await.unwrap();
    assert!(matches!(get(1).await, Err(Error::NoPolicy)));
}
