"""Functions whose code is a container image of a real registry."""

import base64
import http.server
import json
import pathlib
import subprocess
import tarfile
import threading
import urllib.request

import pytest

from image_registry import ARCHITECTURE, MANIFEST, MANIFEST_LIST, layer, special
from lampejo_server import PYTHON, ROLE, eventually, package

FAST = {"Delay": 0.02, "MaxAttempts": 500}


@pytest.fixture(scope="session")
def base(client_program):
    """The lowest layer of most images."""
    return layer(("bin/client", client_program, 0o755), ("app/base", "of the base"))


@pytest.fixture(scope="session")
def registry(start_registry, tmp_path_factory, needs_sandbox):
    with start_registry(tmp_path_factory.mktemp("registry")) as shared:
        yield shared


@pytest.fixture
def client(server):
    return server.client("lambda")


def create(server, function, image, **settings):
    """Creates a function of an image and waits until it is active."""
    client = server.client("lambda")
    settings = {"Role": ROLE, "MemorySize": 256, "Timeout": 10, **settings}
    client.create_function(
        FunctionName=function, PackageType="Image", Code={"ImageUri": image}, **settings
    )
    client.get_waiter("function_active_v2").wait(FunctionName=function, WaiterConfig=FAST)
    return client.get_function(FunctionName=function)


def ask(server, function, question, **arguments):
    answer, kind = server.invoke(function, question, **arguments)
    assert kind is None, answer
    return answer


def test_an_image_is_a_function(server, registry, base, name):
    image, digest = registry.push(
        name,
        [base],
        Entrypoint=["/bin/client", "first"],
        Cmd=["app.handler"],
        WorkingDir="/app",
        Env=["MINE=of the image", "OTHER=of the image", "AWS_REGION=nowhere"],
    )
    found = create(server, name, image, Environment={"Variables": {"OTHER": "of the function"}})
    configuration = found["Configuration"]
    assert (configuration["PackageType"], configuration["State"]) == ("Image", "Active")
    assert (configuration["CodeSha256"], configuration["CodeSize"]) == (digest, 0)
    assert not {"Runtime", "Handler", "ImageConfigResponse"} & set(configuration)
    assert found["Code"] == {
        "RepositoryType": "ECR",
        "ImageUri": image,
        "ResolvedImageUri": f"{image.removesuffix(':latest')}@sha256:{digest}",
    }
    assert ask(server, name, "arguments") == "/bin/client first app.handler"
    assert ask(server, name, "folder") == "/app"
    variables = {
        "MINE": "of the image",
        "OTHER": "of the function",
        "AWS_REGION": "us-east-1",
        "_HANDLER": "app.handler",
        "LAMBDA_TASK_ROOT": "/var/task",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "LD_LIBRARY_PATH": "(none)",
    }
    assert {key: ask(server, name, f"variable {key}") for key in variables} == variables


def test_an_instance_sees_its_image_and_nothing_else(server, registry, base, name):
    image, _ = registry.push(name, [base], Entrypoint=["/bin/client"])
    create(server, name, image)
    assert ask(server, name, "list /") == "app bin dev etc proc tmp"
    assert ask(server, name, "list /bin") == "client"
    assert ask(server, name, "list /etc") == "hosts resolv.conf"
    assert ask(server, name, "folder") == "/"
    assert ask(server, name, "write /app/new") == "Read-only file system"
    assert ask(server, name, "write /app/base") in ("Read-only file system", "Permission denied")
    assert ask(server, name, "write /tmp/new") == "written"
    assert ask(server, name, "write /dev/null") == "written"


def test_the_functions_settings_go_before_the_images(server, client, registry, base, name):
    image, _ = registry.push(name, [base], Entrypoint=["/nowhere"], Cmd=["a", "b"])
    config = {"EntryPoint": ["client"], "Command": ["other"], "WorkingDirectory": "/app"}
    found = create(server, name, image, ImageConfig=config)
    assert found["Configuration"]["ImageConfigResponse"] == {"ImageConfig": config}
    assert ask(server, name, "arguments") == "client other"
    assert ask(server, name, "folder") == "/app"

    config = {"EntryPoint": ["/bin/client"]}
    client.update_function_configuration(FunctionName=name, ImageConfig=config)
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=FAST)
    assert ask(server, name, "arguments") == "/bin/client a b"
    updated = client.update_function_configuration(FunctionName=name, ImageConfig={})
    assert "ImageConfigResponse" not in updated
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=FAST)
    answer, kind = server.invoke(name, "arguments")
    assert (answer["errorType"], kind) == ("Runtime.InvalidEntrypoint", "Unhandled")
    assert answer["errorMessage"].endswith("fork/exec /nowhere: no such file or directory")


@pytest.mark.parametrize(
    ("config", "error_type", "message"),
    [
        (
            {"Entrypoint": ["nowhere"]},
            "Runtime.InvalidEntrypoint",
            'exec: "nowhere": executable file not found in $PATH',
        ),
        (
            {"Entrypoint": ["/app/base"]},
            "Runtime.InvalidEntrypoint",
            "fork/exec /app/base: permission denied",
        ),
        (
            {"Entrypoint": ["/bin/client"], "WorkingDir": "/nowhere"},
            "Runtime.InvalidWorkingDir",
            "chdir /nowhere: no such file or directory",
        ),
        ({}, "Runtime.InvalidEntrypoint", "the image has neither an entry point nor a command"),
    ],
    ids=["name", "file", "folder", "nothing"],
)
def test_a_program_that_cannot_start_is_told(
    server, registry, base, name, config, error_type, message
):
    image, _ = registry.push(name, [base], **config)
    create(server, name, image)
    answer, kind = server.invoke(name)
    assert (answer["errorType"], kind) == (error_type, "Unhandled")
    assert answer["errorMessage"].endswith(f"Error: {message}")


ENTRYPOINT = """#!/bin/sh
[ $# -eq 1 ] || exit 142
export _HANDLER="$1"
[ -n "$AWS_LAMBDA_RUNTIME_API" ] || exit 143
exec "$LAMBDA_RUNTIME_DIR/bootstrap"
"""


def test_images_that_begin_as_awss_base_images_do(server, registry, client_program, name):
    needed = subprocess.run(["ldd", "/bin/sh"], capture_output=True, text=True, check=True)
    files = [word for word in needed.stdout.split() if word.startswith("/")]
    shell = [(file, pathlib.Path(file).read_bytes(), 0o755) for file in ["/bin/sh", *files]]
    runtime = [
        ("lambda-entrypoint.sh", ENTRYPOINT, 0o755),
        ("var/runtime/bootstrap", client_program, 0o755),
        ("var/task/app.py", "code"),
    ]
    image, _ = registry.push(
        name,
        [layer(*shell), layer(*runtime)],
        Entrypoint=["/lambda-entrypoint.sh"],
        Cmd=["app.handler"],
        WorkingDir="/var/task",
    )
    create(server, name, image)
    assert ask(server, name, "variable _HANDLER") == "app.handler"
    assert ask(server, name, "read app.py") == "code"


def test_layers_lie_over_each_other(server, registry, base, name):
    lower = layer(
        ("app/hidden", "x"), ("app/changed", "old"), ("opaque/a", "x"), ("opaque/b/c", "x")
    )
    upper = layer(
        ("app/.wh.hidden", ""),
        ("app/changed", "new"),
        ("opaque/.wh..wh..opq", ""),
        ("opaque/own", "x"),
        special("app/link", tarfile.SYMTYPE, "/app/changed"),
    )
    image, _ = registry.push(name, [base, lower, upper], Entrypoint=["/bin/client"])
    create(server, name, image)
    assert ask(server, name, "list /app") == "base changed link"
    assert ask(server, name, "read /app/link") == "new"
    assert ask(server, name, "list /opaque") == "own"


def test_files_belong_to_root_and_nothing_is_special(server, registry, base, name):
    odd = layer(
        ("app/private", "secret", 0o600),
        ("app/setuid", "x", 0o4755),
        special("app/device", tarfile.CHRTYPE),
        special("app/pipe", tarfile.FIFOTYPE),
    )
    image, _ = registry.push(name, [base, odd], Entrypoint=["/bin/client"])
    create(server, name, image)
    assert ask(server, name, "list /app") == "base private setuid"
    assert ask(server, name, "read /app/private") == "Permission denied"
    assert ask(server, name, "mode /app/setuid") == "100555"


@pytest.mark.parametrize(
    "entries",
    [
        [("../../../escaped", "x")],
        [("/../escaped", "x")],
        [special("out", tarfile.SYMTYPE, "/tmp"), ("out/escaped", "x")],
        [special("out", tarfile.SYMTYPE, "../../../.."), ("out/escaped", "x")],
        [special("own", tarfile.LNKTYPE, "../../../../../../etc/passwd")],
        [special("out", tarfile.SYMTYPE, "/etc"), special("own", tarfile.LNKTYPE, "out/passwd")],
        [(".wh...", "")],
    ],
    ids=["up", "root", "link", "link up", "hard link", "hard link behind a link", "whiteout"],
)
def test_a_layer_that_leads_outside_is_refused(
    server, client, registry, base, name, refused, entries
):
    image, _ = registry.push(name, [base, layer(*entries)], Entrypoint=["/bin/client"])
    with refused("InvalidParameterValueException") as refusal:
        create(server, name, image)
    text = f"Source image {image} is not valid. Provide a valid source image."
    assert refusal.message.startswith(text)
    assert not list(server.data.rglob("escaped")) and not pathlib.Path("/tmp/escaped").exists()
    assert not list((server.data / "images" / "unfinished").iterdir())


def test_a_link_to_the_host_leads_nowhere(server, registry, base, name):
    out = layer(special("app/out", tarfile.SYMTYPE, "/etc/shadow"))
    image, _ = registry.push(name, [base, out], Entrypoint=["/bin/client"])
    create(server, name, image)
    assert ask(server, name, "read /app/out") == "No such file or directory"


def test_a_tag_is_resolved_once_and_versions_keep_their_image(
    server, client, registry, base, name
):
    image, first = registry.push(name, [base], Entrypoint=["/bin/client"], Cmd=["one"])
    create(server, name, image, Publish=True)
    _, second = registry.push(name, [base], Entrypoint=["/bin/client"], Cmd=["two"])
    assert ask(server, name, "arguments") == "/bin/client one"
    updated = client.update_function_code(FunctionName=name, ImageUri=image)
    assert updated["CodeSha256"] == second != first
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=FAST)
    assert ask(server, name, "arguments") == "/bin/client two"
    assert ask(server, name, "arguments", Qualifier="1") == "/bin/client one"
    by_digest = f"{image.removesuffix(':latest')}@sha256:{first}"
    updated = client.update_function_code(FunctionName=name, ImageUri=by_digest)
    assert updated["CodeSha256"] == first
    assert client.get_function(FunctionName=name)["Code"]["ImageUri"] == by_digest


def test_of_a_list_this_machines_image_is_taken(server, registry, base, name):
    _, digest = registry.push(name, [base], tag="one", Entrypoint=["/bin/client"])
    entry = {"mediaType": MANIFEST, "digest": f"sha256:{digest}", "size": 1}
    platform = {"os": "linux", "architecture": ARCHITECTURE}
    other = {"os": "linux", "architecture": "s390x"}
    manifests = [{**entry, "platform": other}, {**entry, "platform": platform}]
    listed = {"schemaVersion": 2, "mediaType": MANIFEST_LIST, "manifests": manifests}
    image, _ = registry.manifest(name, listed, "latest")
    assert create(server, name, image)["Configuration"]["CodeSha256"] == digest
    assert ask(server, name, "folder") == "/"


def test_what_is_not_there_is_told(client, registry, base, name, refused):
    def create_of(image):
        client.create_function(
            FunctionName=name, PackageType="Image", Role=ROLE, Code={"ImageUri": image}
        )

    code = "InvalidParameterValueException"
    missing = "Source image {} does not exist. Provide a valid source image."
    registry.push(name, [base])
    for image in (f"{registry.host}/{name}-other:latest", f"{registry.host}/{name}:other"):
        with refused(code, missing.format(image), 400):
            create_of(image)
    with refused(code) as refusal:
        create_of("no image at all")
    assert refusal.message.startswith("Source image no image at all is not valid.")
    part = registry.part(name, "application/vnd.wasm.content.layer.v1+wasm", b"x")
    config = registry.part(name, "application/vnd.oci.image.config.v1+json", b"{}")
    odd = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [part]}
    image, _ = registry.manifest(name, odd, "odd")
    with refused(code) as refusal:
        create_of(image)
    kind = "The image manifest, config or layer media type for the source image"
    assert refusal.message.startswith(f"{kind} {image} is not supported.")
    with refused(code) as refusal:
        create_of("127.0.0.1:1/app:latest")
    assert "could not be fetched" in refusal.message


def test_a_package_type_cannot_change(server, client, registry, base, name, refused):
    image, _ = registry.push(name, [base], Entrypoint=["/bin/client"])
    create(server, name, image)
    code = "InvalidParameterValueException"
    text = "Please provide ImageUri when updating a function with packageType Image."
    zipped = package({"index.py": "def handler(e, c): return 1\n"})
    with refused(code, text):
        client.update_function_code(FunctionName=name, ZipFile=zipped)
    with refused(code, text):
        client.update_function_code(FunctionName=name, S3Bucket="hot-reload", S3Key="/tmp")
    layer_arn = f"arn:aws:lambda:us-east-1:000000000000:layer:{name}:1"
    for settings in ({"Runtime": PYTHON}, {"Layers": [layer_arn]}):
        with refused(code) as refusal:
            client.update_function_configuration(FunctionName=name, **settings)
        assert "don't provide handler or runtime or layer" in refusal.message
    server.function(f"{name}-zip", "def handler(e, c): return 1\n")
    text = "Please don't provide ImageUri when updating a function with packageType Zip."
    with refused(code, text):
        client.update_function_code(FunctionName=f"{name}-zip", ImageUri=image)
    with refused(code):
        client.update_function_configuration(
            FunctionName=f"{name}-zip", ImageConfig={"Command": ["x"]}
        )


def test_images_share_their_layers_and_go_with_their_functions(start, registry, base, name):
    with start() as server:
        for number in ("one", "two"):
            image, _ = registry.push(
                f"{name}-{number}", [base, layer((number, "x"))], Entrypoint=["/bin/client"]
            )
            create(server, number, image)
        folder = server.data / "images"
        roots = list((folder / "roots").iterdir())
        inodes = {(root / "bin/client").stat().st_ino for root in roots}
        assert (len(roots), len(inodes), len(list((folder / "layers").iterdir()))) == (2, 1, 3)
        for left, number in ((1, "one"), (0, "two")):
            server.client("lambda").delete_function(FunctionName=number)
            assert len(list((folder / "roots").iterdir())) == left
        assert not list((folder / "layers").iterdir())


def test_a_function_survives_a_restart_without_its_registry(
    start, start_registry, base, name, tmp_path, needs_sandbox
):
    with start_registry(tmp_path) as registry, start() as server:
        image, digest = registry.push(name, [base], Entrypoint=["/bin/client"], WorkingDir="/app")
        create(server, name, image)
        registry.stop()
        (server.data / "images" / "unfinished" / "left").mkdir()
        server.kill()
        server.start()
        assert ask(server, name, "folder") == "/app"
        found = server.client("lambda").get_function(FunctionName=name)
        assert found["Configuration"]["CodeSha256"] == digest
        assert not list((server.data / "images" / "unfinished").iterdir())


class Guard(http.server.BaseHTTPRequestHandler):
    """Stands before a registry and asks for a user and a password."""

    registry = None
    expected = "Basic " + base64.b64encode(b"user:word").decode()

    def do_GET(self):
        if self.headers.get("Authorization") != self.expected:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="images"')
            self.send_header("Content-Length", "0")
            return self.end_headers()
        request = urllib.request.Request(f"http://{self.registry.host}{self.path}")
        request.add_header("Accept", self.headers.get("Accept", "*/*"))
        with urllib.request.urlopen(request, timeout=30) as answer:
            content = answer.read()
            self.send_response(answer.status)
            for header in ("Content-Type", "Docker-Content-Digest", "Content-Length"):
                self.send_header(header, answer.headers[header])
        self.end_headers()
        return self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def guard(registry):
    """A host that wants credentials."""
    handler = type("OneGuard", (Guard,), {"registry": registry})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as guard:
        thread = threading.Thread(target=guard.serve_forever)
        thread.start()
        yield f"127.0.0.1:{guard.server_port}"
        guard.shutdown()
        thread.join()


def test_registries_are_set_and_logged_in_to(
    start, registry, guard, base, name, tmp_path, refused
):
    registry.push(name, [base], Entrypoint=["/bin/client"])
    ecr = f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/{name}:latest"
    file = tmp_path / "lampejo.toml"
    file.write_text(f'[images]\necr = "{guard}"\n')
    docker = tmp_path / "config.json"
    docker.write_text("{}")
    environment = {"LAMPEJO_CONFIG": str(file), "DOCKER_CONFIG": str(tmp_path)}
    with start(environment=environment) as server:
        text = (
            "Lambda does not have permission to access the ECR image. Check the ECR permissions."
        )
        with refused("InvalidParameterValueException", text):
            create(server, name, ecr)
        # As `docker login` leaves it.
        auth = base64.b64encode(b"user:word").decode()
        docker.write_text(json.dumps({"auths": {guard: {"auth": auth}}}))
        found = create(server, name, ecr)
        assert found["Code"]["ImageUri"] == ecr
        resolved = found["Code"]["ResolvedImageUri"]
        assert resolved.startswith(f"{ecr.removesuffix(':latest')}@sha256:")
        assert ask(server, name, "folder") == "/"
    docker.unlink()
    login = f'[images.credentials."{guard}"]\nusername = "user"\npassword = "word"\n'
    file.write_text(f'[images]\necr = "{guard}"\n{login}')
    with start(environment=environment) as server:
        create(server, name, ecr)
        assert ask(server, name, "folder") == "/"


def test_extensions_of_an_image_run_beside_it(server, registry, base, build, name):
    extension = layer(("opt/extensions/native", build("image_extension.c"), 0o755))
    image, _ = registry.push(name, [base, extension], Entrypoint=["/bin/client"], Cmd=["app.handler"])
    create(server, name, image)
    ask(server, name, {})
    line = "EXTENSION\tName: native\tState: Ready\tEvents: [INVOKE, SHUTDOWN]"
    eventually(lambda: line in server.log_lines(name), "its line in the log")
    server.client("lambda").update_function_configuration(FunctionName=name, Description="new")

    def told():
        lines = [line for line in server.log_lines(name) if line.startswith("native ")]
        return [json.loads(line.split(" ", 1)[1]) for line in lines]

    events = eventually(lambda: len(told()) == 2 and told(), "invocation and end")
    assert [event["eventType"] for event in events] == ["INVOKE", "SHUTDOWN"]
    assert events[1]["shutdownReason"] == "spindown"
