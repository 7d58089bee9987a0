"""Java functions on the machine's JDKs: handlers, values, failures, logs, AWS's own libraries."""

import base64
import json
import pathlib

import pytest

import java_packages
from lampejo_server import ACCOUNT, REGION, ROLE, eventually, package

MEMORY = 512
# What compares our values with AWS's.
VALUES = pathlib.Path(__file__).parent / "java_values"


@pytest.fixture(scope="session")
def jdks():
    found = java_packages.runtimes()
    if not found:
        pytest.skip("there is no JDK that lampejo can use: apt-get install default-jdk-headless")
    return found


@pytest.fixture(scope="session")
def cache_folder(sdk_cache):
    return sdk_cache.parent


@pytest.fixture(scope="session")
def java(jdks):
    """The runtime of most tests: the oldest JDK, whose classes the others run too."""
    return min(jdks, key=major)


@pytest.fixture(scope="session")
def libraries(cache_folder):
    """AWS's interfaces and events."""
    return [java_packages.jar(cache_folder, name) for name in ("core", "events", "joda-time")]


@pytest.fixture(scope="session")
def classes(jdks, java, libraries):
    return java_packages.classes(jdks[java], major(java), libraries)


@pytest.fixture(scope="session")
def plain(classes):
    """A package without libraries, as Lambda's runtime takes it too."""
    return java_packages.zipped(classes)


def major(runtime):
    return int(runtime.removeprefix("java").split(".")[0])


@pytest.fixture
def create(server, java, plain, name):
    """Makes a function of one of the handlers: `create("example.Hello")`."""

    def make(handler, code=None, **settings):
        client = server.client("lambda")
        settings = {"Runtime": java, "MemorySize": MEMORY, "Timeout": 20, **settings}
        settings |= {"FunctionName": name, "Handler": handler, "Role": ROLE}
        client.create_function(Code={"ZipFile": code or plain}, **settings)
        wait(client, "function_active_v2", name)
        return client

    return make


def wait(client, state, function):
    settings = {"Delay": 0.02, "MaxAttempts": 500}
    client.get_waiter(state).wait(FunctionName=function, WaiterConfig=settings)


def logged(server, name, text):
    """The messages of a function's log, once one of them has this in it."""
    lines = []

    def look():
        lines[:] = server.log_lines(name)
        return any(text in line for line in lines)

    eventually(look, f"{text!r} is logged")
    return lines


def test_every_jdk_runs_functions(server, jdks, plain, name):
    client = server.client("lambda")
    for runtime in jdks:
        function = f"{name}-{major(runtime)}"
        client.create_function(
            FunctionName=function,
            Runtime=runtime,
            Handler="example.Hello",
            Role=ROLE,
            Code={"ZipFile": plain},
            MemorySize=MEMORY,
            Timeout=20,
        )
        wait(client, "function_active_v2", function)
        version = "1.8" if major(runtime) == 8 else major(runtime)
        for count in (1, 2):
            answer, kind = server.invoke(function, {"name": "you"})
            assert (answer, kind) == (f"Hello you {count} on {version}", None)


def test_a_jdk_that_is_missing_is_said_with_the_way_to_get_it(server, jdks, plain, name, refused):
    all_of_them = ("java8.al2", "java11", "java17", "java21", "java25")
    missing = next((it for it in all_of_them if it not in jdks), None)
    if missing is None:
        pytest.skip("this machine has every JDK")
    with refused("InvalidParameterValueException") as refusal:
        server.client("lambda").create_function(
            FunctionName=name, Runtime=missing, Handler="x", Role=ROLE, Code={"ZipFile": plain}
        )
    assert f"no interpreter for {missing}" in refusal.message
    assert "-jdk-headless" in refusal.message


@pytest.mark.parametrize(
    ("handler", "event", "answer"),
    [
        ("Forms::text", "hi", "hi!"),
        ("Forms::text", 1.5, "1.5!"),
        ("Forms::number", 1, 2),
        ("Forms::number", "41", 42),
        ("Forms::number", None, 1),
        ("Forms::list", [5], [5, 1]),
        ("Forms::list", 5, [5, 1]),
        ("Forms::nothing", {}, None),
        ("Forms::onlyContext", {}, None),
        ("Forms::streams", {"a": [1]}, {"got": {"a": [1]}}),
        ("Forms::input", {}, None),
        ("Forms::output", {}, [7]),
        ("Forms::overloaded", "x", "long"),
        (
            "Forms::array",
            [1, 2],
            [{"count": 1, "parts": []}, {"count": 2, "parts": []}],
        ),
        (
            "Forms::anything",
            {"i": 1, "l": 1 << 40, "d": 1.5, "s": "", "b": True, "a": [], "o": {}},
            {
                "i": "Integer",
                "l": "Long",
                "d": "Double",
                "s": "String",
                "b": "Boolean",
                "a": "ArrayList",
                "o": "LinkedHashMap",
            },
        ),
        ("Streamed", {"ü": [None, 1]}, {"ü": [None, 1]}),
    ],
)
def test_handlers_have_every_form_that_lambda_takes(server, create, name, handler, event, answer):
    create(f"example.{handler}")
    payload = json.dumps(event).encode()
    response = server.client("lambda").invoke(FunctionName=name, Payload=payload)
    found = json.loads(response["Payload"].read())
    assert (found, response.get("FunctionError")) == (answer, None)


def test_values_are_read_and_written_as_lambda_does(server, create, name):
    create("example.Forms::order")
    event = {
        "id": 7,
        "kind": "BOOK",
        "count": "21",
        "price": 1.10,
        "placed": 1000,
        "shipped": "1970-01-01T00:00:01.5Z",
        "signature": "AQI=",
        "parts": [{"id": "p", "kind": "UNKNOWN"}],
        "extra": {"a": [1, 2.5, None, {"b": "ü\n\u0001"}]},
        "unknown": 1,
    }
    answer, kind = server.invoke(name, event)
    assert kind is None
    assert answer == {
        "id": "7",
        "kind": "BOOK",
        "count": 42,
        "price": 1.1,
        "placed": 1000,
        "shipped": 1.5,
        "signature": "AQI=",
        "parts": [{"id": "p", "count": 0, "parts": []}],
        "extra": {"a": [1, 2.5, None, {"b": "ü\n\u0001"}]},
    }


def test_values_are_those_of_awss_own_library(server, create, jdks, java, libraries, cache_folder):
    create("example.Hello")
    # Of the JVM that the function was made for.
    jvm = f"*-{java_packages.version(java)}-*/runtime/lampejo.jar"
    [bootstrap] = (server.data / "runtime" / "bootstrap").glob(jvm)
    jars = [bootstrap, *libraries, java_packages.jar(cache_folder, "serialization")]
    assert java_packages.run(jdks[java], VALUES, jars, VALUES / "cases.json") == ""


def test_the_context_and_the_environment_are_lambdas(server, create, java, name):
    variables = {"MINE": "ä", "JAVA_TOOL_OPTIONS": "-Down=mine -XX:TieredStopAtLevel=4"}
    client = create("example.Surroundings", Environment={"Variables": variables})
    mobile = {"custom": {"a": "ü"}, "client": {"app_title": "T"}, "env": {}}
    response = client.invoke(
        FunctionName=name,
        Payload=b"{}",
        ClientContext=base64.b64encode(json.dumps(mobile).encode()).decode(),
    )
    assert "FunctionError" not in response, response["Payload"].read()
    found = json.load(response["Payload"])
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    expected = {
        "requestId": response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"],
        "functionName": name,
        "functionVersion": "$LATEST",
        "functionArn": arn,
        "memory": MEMORY,
        "logGroup": f"/aws/lambda/{name}",
        "custom": {"a": "ü"},
        "title": "T",
        "sameLogger": True,
        "own": "mine",
        "encoding": "UTF-8",
        "file": "äö.txt2",
    }
    assert {key: found.get(key) for key in expected} == expected
    assert "[$LATEST]" in found["logStream"]
    assert 0 < found["left"] <= 20_000
    assert found["trace"].startswith("Root=1-")
    for variable, value in {
        "MINE": "ä",
        "_HANDLER": "example.Surroundings",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{java}",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
    }.items():
        assert found["variables"][variable] == value
    # Eighty-five hundredths of the memory, of which the collector keeps some to itself.
    assert 0.75 * MEMORY < found["heap"] >> 20 <= 0.85 * MEMORY
    assert "-XX:+UseSerialGC" in found["options"]
    assert "-XX:TieredStopAtLevel=1" not in found["options"]


def test_what_a_handler_throws_is_told_as_lambda_does(server, create, name):
    create("example.Failures::thrown")
    answer, kind = server.invoke(name)
    assert kind == "Unhandled"
    assert set(answer) == {"errorMessage", "errorType", "stackTrace"}
    assert answer["errorMessage"] == "so it is"
    assert answer["errorType"] == "java.lang.IllegalArgumentException"
    assert answer["stackTrace"][0].startswith("example.Failures.thrown(Failures.java:")
    assert not any("lampejo" in frame for frame in answer["stackTrace"])
    [report] = [it for it in logged(server, name, "so it is: ") if it.startswith("so it is: ")]
    assert report.startswith(
        "so it is: java.lang.IllegalArgumentException\n"
        "java.lang.IllegalArgumentException: so it is\n\tat example.Failures.thrown(Failures.java:"
    )
    assert "\nCaused by: java.lang.IllegalStateException: inside\n" in report


@pytest.mark.parametrize(
    ("handler", "error_type", "message"),
    [
        (
            "example.Failures::silent",
            "java.lang.UnsupportedOperationException",
            "java.lang.UnsupportedOperationException",
        ),
        (
            "example.Failures::unwritable",
            "java.lang.RuntimeException",
            "An error occurred during JSON serialization of response",
        ),
        (
            "example.Forms::number",
            "java.lang.RuntimeException",
            "An error occurred during JSON parsing",
        ),
        ("example.Absent", "java.lang.ClassNotFoundException", "Class not found: example.Absent"),
        ("example.Forms::", None, "Invalid handler: `example.Forms::'"),
        (
            "example.Forms::absent",
            None,
            "No public method named absent with appropriate method signature found on class "
            "example.Forms",
        ),
        (
            "example.Forms::tooMany",
            None,
            "No public method named tooMany with appropriate method signature found on class "
            "example.Forms",
        ),
        (
            "example.Forms",
            None,
            "Class does not implement an appropriate handler interface: example.Forms",
        ),
        (
            "example.Failures$Inner::handle",
            "java.lang.Exception",
            "Class example.Failures$Inner cannot be instantiated because it is a non-static inner "
            "class",
        ),
        (
            "example.Failures$InStatic::handle",
            "java.lang.ExceptionInInitializerError",
            "Error loading class example.Failures$InStatic",
        ),
        (
            "example.Failures$InConstructor::handle",
            "java.lang.IllegalStateException",
            "constructor trouble",
        ),
    ],
)
def test_what_is_wrong_with_a_handler_is_told(server, create, name, handler, error_type, message):
    create(handler)
    answer, kind = server.invoke(name, {"no": "number"})
    assert (answer["errorMessage"], answer.get("errorType"), kind) == (
        message,
        error_type,
        "Unhandled",
    )


@pytest.mark.parametrize(
    ("handler", "event", "error_type", "reason"),
    [
        ("exits", 3, "Runtime.ExitError", "Runtime exited with error: exit status 3"),
        ("sleeps", 60, "Sandbox.Timedout", "Task timed out after 2.00 seconds"),
        ("fillsTheHeap", 0, "java.lang.OutOfMemoryError", "Java heap space"),
    ],
)
def test_an_instance_that_ends_is_replaced(
    server, create, name, handler, event, error_type, reason
):
    client = create(f"example.Failures::{handler}", Timeout=2 if handler == "sleeps" else 20)
    answer, kind = server.invoke(name, event)
    assert (answer["errorType"], kind) == (error_type, "Unhandled")
    assert answer["errorMessage"].endswith(reason)
    client.update_function_configuration(FunctionName=name, Handler="example.Forms::nothing")
    wait(client, "function_updated_v2", name)
    assert server.invoke(name) == (None, None)


def test_text_logs_are_lambdas(server, create, name):
    create("example.Logs::handle")
    assert server.invoke(name) == (None, None)
    lines = logged(server, name, "to the error stream")
    for line in [
        "without a newline",
        "two\nlines",
        "[WARN] some trouble",
        "[DEBUG] small talk",
        "bytes",
        "printed ü",
        "to the error stream",
    ]:
        assert line in lines
    assert lines[0].startswith("INIT_START Runtime Version: java:")


def test_json_logs_are_lambdas_and_keep_to_their_level(server, create, name):
    levels = {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "WARN"}
    create("example.Logs::handle", LoggingConfig=levels)
    assert server.invoke(name) == (None, None)
    lines = logged(server, name, "to the error stream")
    records = [json.loads(line) for line in lines if line.startswith("{")]
    found = [(it["level"], it["message"]) for it in records if "level" in it]
    assert found == [
        ("UNDEFINED", "without a newline"),
        ("UNDEFINED", "two\nlines\n"),
        ("WARN", "some trouble"),
    ]
    assert set(records[0]) == {"timestamp", "message", "level", "AWSRequestId"}
    assert "printed ü" in lines


def test_a_queues_messages_come_as_aws_own_class(server, create, classes, libraries, name):
    create("example.Events::queue", java_packages.zipped(classes, libraries))
    queues = server.client("sqs")
    url = queues.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    colour = {"colour": {"DataType": "String", "StringValue": "blue"}}
    for body in ("good", "bad"):
        queues.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=colour)
    server.client("lambda").create_event_source_mapping(
        FunctionName=name,
        EventSourceArn=arn,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    lines = logged(server, name, "message bad")
    assert f"message bad {arn} 1 blue" in lines

    def deleted():
        wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = queues.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"]
        return [found[it] for it in wanted] == ["0", "1"]

    eventually(deleted, "the good message is gone, the bad one is kept")


def test_a_buckets_notification_comes_as_aws_own_class(server, create, classes, libraries, name):
    create("example.Events::bucket", java_packages.zipped(classes, libraries))
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": REGION,
        "eventTime": "2026-01-02T03:04:05.678Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "p"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": "r", "x-amz-id-2": "i"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "c",
            "bucket": {"name": "b", "ownerIdentity": {"principalId": "o"}, "arn": "arn:aws:s3:::b"},
            "object": {"key": "a+b%20c", "size": 5_000_000_000, "eTag": "e", "sequencer": "q"},
        },
    }
    assert server.invoke(name, {"Records": [record]}) == ("a b c 5000000000 2026", None)


def test_libraries_may_come_from_a_layer(server, create, libraries, name):
    content = {f"java/lib/{path.name}": path.read_bytes() for path in libraries}
    layer = server.client("lambda").publish_layer_version(
        LayerName=name, Content={"ZipFile": package(content)}
    )
    create("example.Events::bucket", Layers=[layer["LayerVersionArn"]])
    answer, _ = server.invoke(name, {"Records": []})
    assert answer["errorType"] == "java.lang.IndexOutOfBoundsException"


def test_a_wrapper_starts_the_runtime(server, create, classes, name):
    wrapper = '#!/bin/sh\nexport FROM_WRAPPER="$(basename "$1")"\nexec "$@" "$FROM_WRAPPER"\n'
    code = package({**classes, "wrapper": (wrapper, 0o755)})
    variables = {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"}
    create("example.Surroundings", code, Environment={"Variables": variables})
    answer, kind = server.invoke(name)
    assert (answer["variables"]["FROM_WRAPPER"], kind) == ("java", None)


def test_a_wrapper_that_is_not_there_is_told(server, create, name):
    variables = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/absent"}
    create("example.Hello", Environment={"Variables": variables})
    answer, kind = server.invoke(name)
    assert (answer["errorType"], kind) == ("Runtime.InvalidEntrypoint", "Unhandled")
    assert answer["errorMessage"].endswith("fork/exec /opt/absent: no such file or directory")


def test_aws_own_client_of_the_runtime_api_runs_unchanged(
    server, create, jdks, java, classes, libraries, cache_folder, name
):
    client = java_packages.jar(cache_folder, "runtime-interface-client")
    jars = [*libraries, client, java_packages.jar(cache_folder, "serialization")]
    main = "com.amazonaws.services.lambda.runtime.api.client.AWSLambda"
    command = f'{jdks[java]}/bin/java -cp "/var/task/lib/*:/var/task" {main} "$_HANDLER"'
    bootstrap = f"#!/bin/sh\nexec {command}\n"
    files = {**classes, "bootstrap": (bootstrap, 0o755)}
    create("example.Forms::order", java_packages.zipped(files, jars), Runtime="provided.al2023")
    answer, kind = server.invoke(name, {"id": 1, "count": 2})
    assert (answer, kind) == ({"id": "1", "count": 4, "parts": []}, None)
    assert server.invoke(name, {"count": 3})[0]["count"] == 6
    answer, kind = server.invoke(name, {"count": "x"})
    assert (answer["errorMessage"], kind) == ("An error occurred during JSON parsing", "Unhandled")
