"""Layers: published, listed, shared, and seen by functions under /opt."""

import hashlib
import itertools
import json
import urllib.request
from base64 import b64encode

import pytest

from lampejo_server import ACCOUNT, PYTHON, REGION, ROLE, package

NODE = "nodejs20.x"
IMPORTS = "import shared\ndef handler(event, context):\n    return shared.NAME\n"
DEEP_NAME = "a-folder-of-a-layer-with-a-long-name/" * 4


@pytest.fixture
def client(server):
    return server.client("lambda")


def publish(client, layer, files, **settings):
    """A new version; answers with its ARN."""
    content = {"ZipFile": package(files)}
    published = client.publish_layer_version(LayerName=layer, Content=content, **settings)
    return published["LayerVersionArn"]


def python_layer(name):
    return {"python/shared.py": f"NAME = {name!r}\n", f"own/{name}": name}


def test_a_layer_is_published_and_read_back(client, name):
    content = package(python_layer("one"))
    published = client.publish_layer_version(
        LayerName=name,
        Description="what is shared",
        LicenseInfo="MIT",
        CompatibleRuntimes=["python3.12", "python3.13"],
        CompatibleArchitectures=["x86_64", "arm64"],
        Content={"ZipFile": content},
    )
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:{name}"
    assert published["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert (published["LayerArn"], published["LayerVersionArn"]) == (arn, f"{arn}:1")
    sha256 = b64encode(hashlib.sha256(content).digest()).decode()
    got = client.get_layer_version(LayerName=name, VersionNumber=1)
    assert got["Content"]["CodeSha256"] == published["Content"]["CodeSha256"] == sha256
    assert got["Content"]["CodeSize"] == len(content)
    with urllib.request.urlopen(got["Content"]["Location"]) as answer:
        assert answer.read() == content
    by_arn = client.get_layer_version_by_arn(Arn=f"{arn}:1")
    for kind in ("Description", "LicenseInfo", "CompatibleRuntimes", "CompatibleArchitectures"):
        assert got[kind] == published[kind] == by_arn[kind]
    plain = client.publish_layer_version(LayerName=arn, Content={"ZipFile": content})
    assert (plain["Version"], plain["Description"]) == (2, "")
    assert "LicenseInfo" not in plain and "CompatibleRuntimes" not in plain


def test_layers_and_versions_are_listed(server, name):
    client = server.client("lambda", key="555555555555")
    for each, runtime in itertools.product(("a", "b", "c"), ("python3.12", NODE)):
        publish(client, f"{name}-{each}", {"x": each}, CompatibleRuntimes=[runtime])
    pages = client.get_paginator("list_layers").paginate(PaginationConfig={"PageSize": 2})
    pages = [page["Layers"] for page in pages]
    assert [len(page) for page in pages] == [2, 1]
    newest = [it["LatestMatchingVersion"]["Version"] for it in sum(pages, [])]
    assert newest == [2, 2, 2]
    older = client.list_layers(CompatibleRuntime="python3.12")["Layers"]
    assert [it["LatestMatchingVersion"]["Version"] for it in older] == [1, 1, 1]
    pages = client.get_paginator("list_layer_versions").paginate(
        LayerName=f"{name}-a", PaginationConfig={"PageSize": 1}
    )
    assert [it["Version"] for page in pages for it in page["LayerVersions"]] == [2, 1]
    client.delete_layer_version(LayerName=f"{name}-a", VersionNumber=2)
    listed = client.list_layer_versions(LayerName=f"{name}-a")["LayerVersions"]
    assert [it["Version"] for it in listed] == [1]


def test_refusals_are_awss(client, name, refused):
    arn = publish(client, name, python_layer("one"))
    publish(client, name, python_layer("two"))
    text = "Layer Version Cannot be less than 1"
    with refused("InvalidParameterValueException", text, 400):
        client.get_layer_version(LayerName=name, VersionNumber=0)
    with refused("ResourceNotFoundException", "The resource you requested does not exist.", 404):
        client.get_layer_version(LayerName=name, VersionNumber=3)
    with refused("ValidationException", status=400) as refusal:
        client.get_layer_version_by_arn(Arn=arn.rpartition(":")[0])
    assert "at 'arn' failed to satisfy constraint" in refusal.message
    with refused("ValidationException", status=400):
        client.list_layers(CompatibleRuntime="cobol")
    code = {"ZipFile": package({"index.py": IMPORTS})}
    settings = {"Runtime": PYTHON, "Handler": "index.handler", "Role": ROLE, "Code": code}
    missing = arn.replace(":layer:", ":layer:no-")
    with refused(
        "InvalidParameterValueException", f"Layer version {missing} does not exist.", 400
    ):
        client.create_function(FunctionName=name, Layers=[missing], **settings)
    second = arn[:-1] + "2"
    text = (
        "Two different versions of the same layer are not allowed to be referenced in the same "
        f"function. {arn} and {second} are versions of the same layer."
    )
    with refused("InvalidParameterValueException", text, 400):
        client.create_function(FunctionName=name, Layers=[arn, second], **settings)
    many = [arn.replace(name, f"{name}-{number}") for number in range(6)]
    with refused("InvalidParameterValueException", "Cannot reference more than 5 layers.", 400):
        client.create_function(FunctionName=name, Layers=many, **settings)
    with refused("ValidationException", status=400) as refusal:
        client.create_function(FunctionName=name, Layers=[arn[:-2]], **settings)
    assert "at 'layers' failed to satisfy constraint" in refusal.message
    elsewhere = arn.replace(REGION, "eu-west-1")
    text = (
        "Layers are not in the same region as the function. "
        f"Layers are expected to be in region {REGION}."
    )
    with refused("InvalidParameterValueException", text, 400):
        client.create_function(FunctionName=name, Layers=[elsewhere], **settings)


def test_a_layer_is_shared_by_permission(server, client, name, refused):
    arn = publish(client, name, python_layer("one"))
    other = server.client("lambda", key="666666666666")
    text = (
        "User: arn:aws:iam::666666666666:root is not authorized to perform: "
        f"lambda:GetLayerVersion on resource: {arn} because no resource-based policy allows the "
        "lambda:GetLayerVersion action"
    )
    with refused("AccessDeniedException", text, 403):
        other.get_layer_version_by_arn(Arn=arn)
    version = {"LayerName": name, "VersionNumber": 1}
    add = {"StatementId": "s1", "Action": "lambda:GetLayerVersion", "Principal": "*"}
    added = client.add_layer_version_permission(**version, **add)
    statement = {
        "Sid": "s1",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "lambda:GetLayerVersion",
        "Resource": arn,
    }
    assert json.loads(added["Statement"]) == statement
    assert other.get_layer_version_by_arn(Arn=arn)["Version"] == 1
    got = client.get_layer_version_policy(**version)
    document = {"Version": "2012-10-17", "Id": "default", "Statement": [statement]}
    assert json.loads(got["Policy"]) == document
    assert got["RevisionId"] == added["RevisionId"]
    text = (
        "The Revision Id provided does not match the latest Revision Id. "
        "Call the GetLayerPolicy API to retrieve the latest Revision Id"
    )
    with refused("PreconditionFailedException", text, 412):
        client.remove_layer_version_permission(**version, StatementId="s1", RevisionId="no")
    client.remove_layer_version_permission(**version, StatementId="s1")
    with refused(
        "ResourceNotFoundException", "No policy is associated with the given resource.", 404
    ):
        client.get_layer_version_policy(**version)


def test_the_later_of_two_layers_wins(server, client, name):
    first = publish(client, f"{name}-1", python_layer("one"))
    second = publish(client, f"{name}-2", python_layer("two"))
    look = (
        "import os, shared\ndef handler(event, context):\n"
        "    return [shared.NAME, sorted(os.listdir('/opt/own'))]\n"
    )
    if server.flags[3] == "process":
        look = IMPORTS.replace("shared.NAME", "[shared.NAME, ['one', 'two']]")
    server.function(name, look, Layers=[first, second])
    layers = client.get_function(FunctionName=name)["Configuration"]["Layers"]
    assert [layer["Arn"] for layer in layers] == [first, second]
    assert server.invoke(name) == (["two", ["one", "two"]], None)
    version = client.publish_version(FunctionName=name)["Version"]
    client.update_function_configuration(FunctionName=name, Layers=[second, first])
    assert server.invoke(name)[0][0] == "one"
    updated = client.update_function_configuration(FunctionName=name, Layers=[])
    assert "Layers" not in updated
    assert server.invoke(name)[0]["errorType"] == "Runtime.ImportModuleError"
    assert server.invoke(name, Qualifier=version)[0][0] == "two"


def test_site_packages_of_a_layer_are_found(server, client, name):
    path = f"python/lib/{PYTHON}/site-packages/shared/__init__.py"
    layer = publish(client, name, {path: "NAME = 'installed'\n"})
    server.function(name, IMPORTS, Layers=[layer])
    assert server.invoke(name) == ("installed", None)


def test_node_finds_the_modules_of_a_layer(server, client, name):
    modules = {"nodejs/node_modules/shared/index.js": "exports.NAME = 'of the layer';\n"}
    layer = publish(client, name, modules)
    source = "exports.handler = async () => require('shared').NAME;\n"
    try:
        server.function(name, source, file="index.js", Runtime=NODE, Layers=[layer])
    except client.exceptions.InvalidParameterValueException as error:
        pytest.skip(str(error))
    assert server.invoke(name) == ("of the layer", None)


def test_a_bootstrap_and_programs_come_from_a_layer(server, client, name):
    bootstrap = (
        "#!/bin/sh\nexec python3 - <<'END'\n"
        "import os, subprocess, urllib.request as http\n"
        "base = 'http://%s/2018-06-01/runtime/invocation/' % os.environ['AWS_LAMBDA_RUNTIME_API']\n"
        "while True:\n"
        "    event = http.urlopen(base + 'next')\n"
        "    said = subprocess.run(['greet'], capture_output=True).stdout\n"
        "    url = base + event.headers['Lambda-Runtime-Aws-Request-Id'] + '/response'\n"
        "    http.urlopen(http.Request(url, said, method='POST'))\n"
        "END\n"
    )
    files = {"bootstrap": (bootstrap, 0o755), "bin/greet": ("#!/bin/sh\necho '\"hello\"'\n", 0o755)}
    layer = publish(client, name, files)
    server.function(name, "x", Runtime="provided.al2023", Layers=[layer])
    assert server.invoke(name) == ("hello", None)


def test_five_layers_with_deep_folders(server, client, name):
    layers = [
        publish(client, f"{name}-{n}", {DEEP_NAME + "top": n, **python_layer(n)}) for n in "01234"
    ]
    server.function(name, IMPORTS, Layers=layers)
    assert server.invoke(name) == ("4", None)


def test_a_deleted_layer_still_runs_after_a_restart(own_server, name):
    client = own_server.client("lambda")
    layer = publish(client, name, python_layer("kept"))
    own_server.function(name, IMPORTS, Layers=[layer])
    client.delete_layer_version(LayerName=name, VersionNumber=1)
    own_server.restart()
    assert own_server.invoke(name) == ("kept", None)
    assert client.list_layers()["Layers"] == []
    assert publish(client, name, python_layer("new")).endswith(":2")


def test_a_layer_comes_from_a_bucket(server, client, name):
    s3 = server.client("s3")
    s3.create_bucket(Bucket=name)
    content = package(python_layer("stored"))
    s3.put_object(Bucket=name, Key="layer.zip", Body=content)
    place = {"S3Bucket": name, "S3Key": "layer.zip"}
    published = client.publish_layer_version(LayerName=name, Content=place)
    assert published["Content"]["CodeSize"] == len(content)
    server.function(name, IMPORTS, Layers=[published["LayerVersionArn"]])
    assert server.invoke(name) == ("stored", None)
