"""Functions that run out of a folder: what is saved runs from the next invoke on."""

import json
import os
import shutil
import subprocess

import pytest

from lampejo_server import PYTHON, ROLE, binary, package

# Counts on, so that an answer tells whether its instance is the one of before.
COUNTING = (
    "import shared\nCOUNT = 0\ndef handler(event, context):\n"
    "    global COUNT\n    COUNT += 1\n    return [shared.NAME, COUNT]\n"
)


@pytest.fixture
def folder(tmp_path):
    """A developer's folder that everybody may read, as homes' projects are."""
    path = tmp_path / "code"
    path.mkdir()
    (path / "index.py").write_text(COUNTING)
    (path / "lib").mkdir()
    save(path, "one")
    return path


def save(folder, name):
    (folder / "shared.py").write_text(f"NAME = {name!r}\n")


def hot(folder):
    return {"S3Bucket": "hot-reload", "S3Key": str(folder)}


def create(server, name, folder, **settings):
    settings = {"Runtime": PYTHON, "Handler": "index.handler", "Role": ROLE, **settings}
    client = server.client("lambda")
    return client.create_function(FunctionName=name, Code=hot(folder), **settings)


def test_a_saved_file_runs_from_the_next_invoke(server, name, folder):
    created = create(server, name, folder)
    assert created["CodeSha256"]
    answers = [server.invoke(name)[0] for _ in range(2)]
    assert answers == [["one", 1], ["one", 2]]
    save(folder, "two")
    assert server.invoke(name) == (["two", 1], None)
    assert server.invoke(name) == (["two", 2], None)
    # As editors save: another file takes the name.
    (folder / "new").write_text("NAME = 'six'\n")
    os.replace(folder / "new", folder / "shared.py")
    assert server.invoke(name)[0] == ["six", 1]
    (folder / "lib" / "other.py").write_text("")
    assert server.invoke(name)[0] == ["six", 1]
    shutil.rmtree(folder / "lib")
    assert server.invoke(name)[0] == ["six", 1]
    assert server.invoke(name)[0] == ["six", 2]


def test_other_functions_keep_their_instances(server, name, folder):
    create(server, f"{name}-hot", folder)
    files = {"index.py": COUNTING, "shared.py": "NAME = 'packed'\n"}
    server.client("lambda").create_function(
        FunctionName=name,
        Code={"ZipFile": package(files)},
        Runtime=PYTHON,
        Handler="index.handler",
        Role=ROLE,
    )
    assert server.invoke(name)[0] == ["packed", 1]
    assert server.invoke(f"{name}-hot")[0] == ["one", 1]
    save(folder, "two")
    assert server.invoke(f"{name}-hot")[0] == ["two", 1]
    assert server.invoke(name)[0] == ["packed", 2]


def test_a_folder_that_was_built_anew(server, name, folder):
    create(server, name, folder)
    assert server.invoke(name)[0] == ["one", 1]
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "index.py").write_text(COUNTING)
    save(folder, "new")
    assert server.invoke(name)[0] == ["new", 1]


def test_the_folder_is_read_only_inside(server, name, folder, needs_sandbox):
    (folder / "index.py").write_text(
        "import os\ndef handler(event, context):\n"
        "    try: open('written', 'w')\n    except OSError as error: return error.strerror\n"
    )
    create(server, name, folder)
    assert server.invoke(name) == ("Read-only file system", None)
    assert not (folder / "written").exists()


def test_a_layer_reloads_too(server, name, folder, tmp_path):
    layer = tmp_path / "layer"
    (layer / "python").mkdir(parents=True)
    save(layer / "python", "layer")
    (folder / "shared.py").unlink()
    client = server.client("lambda")
    version = client.publish_layer_version(LayerName=name, Content=hot(layer))
    code = {"ZipFile": package({"index.py": COUNTING})}
    client.create_function(
        FunctionName=name,
        Code=code,
        Runtime=PYTHON,
        Handler="index.handler",
        Role=ROLE,
        Layers=[version["LayerVersionArn"]],
    )
    assert server.invoke(name)[0] == ["layer", 1]
    save(layer / "python", "saved")
    assert server.invoke(name)[0] == ["saved", 1]


def test_a_folder_survives_a_restart_and_gives_way_to_a_package(own_server, name, folder):
    create(own_server, name, folder)
    own_server.restart()
    assert own_server.invoke(name)[0] == ["one", 1]
    client = own_server.client("lambda")
    files = {"index.py": COUNTING, "shared.py": "NAME = 'packed'\n"}
    client.update_function_code(FunctionName=name, ZipFile=package(files))
    assert own_server.invoke(name)[0] == ["packed", 1]
    client.update_function_code(FunctionName=name, **hot(folder))
    assert own_server.invoke(name)[0] == ["one", 1]


def test_what_is_no_folder_is_refused(server, name, refused, tmp_path):
    for path in ("relative", tmp_path / "missing"):
        with refused("InvalidParameterValueException", status=400) as refusal:
            create(server, name, path)
        assert str(path) in refusal.message


def test_a_function_cannot_name_a_folder(server, name, needs_sandbox):
    """Else it would read this machine's files."""
    source = (
        "import boto3, os\ndef handler(event, context):\n"
        "    client = boto3.client('lambda', aws_access_key_id='000000000000',\n"
        "        aws_secret_access_key='x', aws_session_token=None)\n"
        "    try: client.update_function_code(FunctionName=context.function_name,\n"
        "        S3Bucket='hot-reload', S3Key='/etc')\n"
        "    except client.exceptions.ClientError as error:\n"
        "        return error.response['Error']['Code']\n"
    )
    server.function(name, source, Timeout=30, MemorySize=512)
    assert server.invoke(name) == ("AccessDeniedException", None)


def test_enforce_mode_needs_the_setting(start, sandbox, name, folder, refused):
    for allowed in (False, True):
        environment = {"LAMPEJO_HOT_RELOAD": "true"} if allowed else {}
        with start(isolation=sandbox, auth="enforce", environment=environment) as server:
            lines = [line.strip() for line in server.rest_of_greeting(7)]
            key, secret = (
                next(line.split("=", 1)[1] for line in lines if line.startswith(start_of))
                for start_of in ("AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=")
            )
            client = server.client("lambda", key=key, secret=secret)
            made = {"Runtime": PYTHON, "Handler": "index.handler", "Role": ROLE}
            if allowed:
                trust = {
                    "Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
                server.client("iam", key=key, secret=secret).create_role(
                    RoleName=ROLE.rsplit("/", 1)[1],
                    AssumeRolePolicyDocument=json.dumps(
                        {"Version": "2012-10-17", "Statement": trust}
                    ),
                )
                client.create_function(FunctionName=name, Code=hot(folder), **made)
                answer = client.invoke(FunctionName=name)["Payload"].read()
                assert json.loads(answer) == ["one", 1]
                continue
            with refused("AccessDeniedException", status=403) as refusal:
                client.create_function(FunctionName=name, Code=hot(folder), **made)
            assert "--hot-reload" in refusal.message


@pytest.fixture
def deploy(server):
    """Runs `lampejo deploy` against the shared server."""

    def run(*words):
        done = subprocess.run(
            [binary(), "deploy", *map(str, words)],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "AWS_ENDPOINT_URL": server.endpoint},
        )
        return done.returncode, done.stdout.strip(), done.stderr.strip()

    return run


def test_a_folder_is_deployed_and_deployed_again(server, name, folder, deploy):
    code, _, said = deploy(folder, "--name", name)
    assert (code, "--runtime" in said) == (1, True)
    new = ["--runtime", PYTHON, "--handler", "index.handler", "--env", "AB=b=c", "--timeout", 9]
    code, out, said = deploy(folder, "--name", name, *new)
    assert (code, out.rpartition(":")[2]) == (0, name), said
    assert server.invoke(name)[0] == ["one", 1]
    settings = server.client("lambda").get_function_configuration(FunctionName=name)
    assert settings["Environment"]["Variables"] == {"AB": "b=c"}
    assert settings["Timeout"] == 9
    save(folder, "two")
    assert server.invoke(name)[0] == ["one", 2]
    code, _, said = deploy(folder, "--name", name, "--memory", 256)
    assert code == 0, said
    assert server.invoke(name)[0] == ["two", 1]
    assert server.client("lambda").get_function_configuration(FunctionName=name)["MemorySize"] == 256
    # The same files are the same code.
    assert deploy(folder, "--name", name)[2] == said


def test_a_folder_is_watched(server, name, folder, deploy):
    watch = ["--watch", "--name", name]
    code, _, said = deploy(folder, *watch, "--runtime", PYTHON, "--handler", "index.handler")
    assert (code, str(folder) in said) == (0, True)
    assert server.invoke(name)[0] == ["one", 1]
    save(folder, "two")
    assert server.invoke(name)[0] == ["two", 1]
    assert deploy(folder / "missing", *watch)[0] == 1
