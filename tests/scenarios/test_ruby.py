"""Ruby functions: what the handler gets, what failures look like, what is logged, where gems are."""

import base64
import json
import re
import shutil
import subprocess

import pytest

from lampejo_server import ACCOUNT, REGION, ROLE, eventually, package

FAST = {"Delay": 0.02, "MaxAttempts": 500}


@pytest.fixture(scope="module")
def version():
    """The version of the machine's Ruby."""
    if shutil.which("ruby") is None:
        pytest.skip("ruby is not installed")
    command = ["ruby", "-e", "print RUBY_VERSION"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def runtime(version):
    """Debian 12's Ruby is older than Lambda's oldest."""
    return max(f"ruby{version.rpartition('.')[0]}", "ruby3.2")


@pytest.fixture(scope="module")
def server(start, sandbox, runtime):
    """A server that takes what Ruby there is."""
    with start(isolation=sandbox, environment={"LAMPEJO_NEAREST_RUNTIME": "true"}) as server:
        yield server


@pytest.fixture
def create(server, runtime, name):
    """Creates a function of files: a source stands for `app.rb`."""

    def run(files, handler="app.handler", **settings):
        files = files if isinstance(files, dict) else {"app.rb": files}
        client = server.client("lambda")
        settings = {"MemorySize": 512, "Timeout": 10, "Role": ROLE, **settings}
        client.create_function(
            FunctionName=name,
            Runtime=runtime,
            Handler=handler,
            Code={"ZipFile": package(files)},
            **settings,
        )
        client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=FAST)
        return name

    return run


def test_a_handler_gets_event_and_context(server, create, name):
    source = """
def handler(event:, context:)
  names = %i[aws_request_id invoked_function_arn log_group_name log_stream_name function_name
             memory_limit_in_mb function_version identity client_context deadline_ms]
  { event: event, context: names.to_h { |it| [it, context.public_send(it)] },
    remaining: context.get_remaining_time_in_millis, trace: ENV['_X_AMZN_TRACE_ID'],
    folder: Dir.pwd }
end
"""
    create(source)
    custom = {"custom": {"a": "1"}, "client": {"app_title": "title"}}
    given = base64.b64encode(json.dumps(custom).encode()).decode()
    answer, kind = server.invoke(name, {"a": "ä"}, ClientContext=given)
    assert kind is None, answer
    context = answer["context"]
    assert answer["event"] == {"a": "ä"}
    assert re.fullmatch(r"[0-9a-f-]{36}", context.pop("aws_request_id"))
    assert "[$LATEST]" in context.pop("log_stream_name")
    assert context.pop("deadline_ms") > 1_600_000_000_000
    assert context == {
        "invoked_function_arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}",
        "log_group_name": f"/aws/lambda/{name}",
        "function_name": name,
        "memory_limit_in_mb": "512",
        "function_version": "$LATEST",
        "identity": None,
        "client_context": custom,
    }
    assert 0 < answer["remaining"] <= 10_000
    assert answer["trace"].startswith("Root=1-")
    assert answer["folder"] == "/var/task"


HANDLERS = {
    "app.rb": """
def ping(event:, context:) = "pong #{event['it']}"
module Deep
  class Door
    def self.open(event:, context:) = self.name
    class Inner
      def self.open(event:, context:) = self.name
    end
  end
end
class Door
  def self.open(event:, context:) = self.name
end
""",
    "in/a/folder.rb": "def ping(event:, context:) = __FILE__",
}


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        ("app.ping", "pong 1"),
        ("app.Door.open", "Door"),
        ("app.Deep::Door.open", "Deep::Door"),
        ("app.Deep::Door::Inner.open", "Deep::Door::Inner"),
        ("in/a/folder.ping", "/var/task/in/a/folder.rb"),
    ],
)
def test_handlers_are_methods_of_files_classes_and_modules(server, create, handler, expected):
    assert server.invoke(create(HANDLERS, handler), {"it": 1}) == (expected, None)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("nil", None),
        ("[1, 2.5, true, nil, {a: :b}]", [1, 2.5, True, None, {"a": "b"}]),
        ("'今日はラムダ!'", "今日はラムダ!"),
        ("require 'stringio'; StringIO.new('{\"as\": \"it is\"}')", {"as": "it is"}),
    ],
    ids=["nil", "values", "unicode", "io"],
)
def test_results_become_json(server, create, result, expected):
    name = create(f"def handler(event:, context:)\n  {result}\nend\n")
    assert server.invoke(name) == (expected, None)


def test_large_events_and_results(server, create):
    name = create("def handler(event:, context:) = event\n")
    event = {"text": "ä" * 900_000}
    assert server.invoke(name, event) == (event, None)


def test_an_error_names_its_class_and_place(server, create, name):
    source = """
class Sour < StandardError; end
$count = 0
def deeper = raise(Sour, "too sour: ä")
def handler(event:, context:)
  $count += 1
  deeper if event['fail']
  $count
end
"""
    create(source)
    answer, kind = server.invoke(name, {"fail": True})
    assert kind == "Unhandled"
    assert (answer["errorMessage"], answer["errorType"]) == ("too sour: ä", "Function<Sour>")
    places = [frame.split(":in ")[0] for frame in answer["stackTrace"]]
    assert places == ["/var/task/app.rb:4", "/var/task/app.rb:7"]
    # The process goes on.
    assert server.invoke(name) == (2, None)
    lines = eventually(lambda: server.log_lines(name, '"Sour"'), "the error is logged")
    assert json.loads(lines[0])["errorType"] == "Function<Sour>"
    assert server.log_lines(name, '"Error raised from handler method"')


@pytest.mark.parametrize(
    ("handler", "error_type"),
    [
        ("app.absent", "Function<NoMethodError>"),
        ("app.Absent.handler", "Function<NameError>"),
        ("app.leave", "Function<SystemExit>"),
        ("app.dive", "Function<SystemStackError>"),
        ("app.lines", "Function<ArgumentError>"),
    ],
)
def test_what_is_wrong_with_a_handler_is_told(server, create, name, handler, error_type):
    source = """
def leave(event:, context:) = exit
def dive(event:, context:) = dive(event: event, context: context)
def lines(event, context) = 1
"""
    create(source, handler)
    for _ in range(2):
        answer, kind = server.invoke(name)
        assert (answer["errorType"], kind) == (error_type, "Unhandled")


@pytest.mark.parametrize(
    ("source", "handler", "error_type", "message"),
    [
        ("", "app", "Init<ArgumentError>", 'Invalid handler ["app"], must be of form FILENAME'),
        ("", "absent.handler", "Init<LoadError>", "cannot load such file -- absent"),
        ("require 'nosuch'", "app.x", "Init<LoadError>", "cannot load such file -- nosuch"),
        ("def (", "app.x", "Init<SyntaxError>", "/var/task/app.rb:1:"),
        ("raise 'not today'", "app.x", "Init<RuntimeError>", "not today"),
    ],
    ids=["form", "file", "require", "syntax", "raise"],
)
def test_an_init_that_fails_is_told(server, create, name, source, handler, error_type, message):
    create(source, handler)
    answer, kind = server.invoke(name)
    assert (answer["errorType"], kind) == (error_type, "Unhandled")
    assert answer["errorMessage"].startswith(message)
    said = f"Init error when loading handler {handler}"
    eventually(lambda: said in server.log_lines(name), "the init error is logged")


def test_a_timeout_and_an_end_are_lambdas(server, create, name):
    source = """
def handler(event:, context:)
  event['sleep'] ? sleep : Process.exit!(3)
end
"""
    create(source, Timeout=1)
    answer, kind = server.invoke(name, {"sleep": True})
    assert (answer["errorType"], kind) == ("Sandbox.Timedout", "Unhandled")
    answer, kind = server.invoke(name)
    assert (answer["errorType"], kind) == ("Runtime.ExitError", "Unhandled")


LOGGING = """
require 'logger'
def handler(event:, context:)
  puts "one\\nmessage", [["of", "parts"]]
  log = Logger.new($stdout, progname: 'bill')
  log.debug("small\\nthings")
  log.info("news")
  log.error(ArgumentError.new("bad")) if event['error']
  $stdout.puts "plain"
  warn "to stderr"
end
"""


def test_text_logs(server, create, name, version, runtime):
    create(LOGGING)
    assert server.invoke(name) == (None, None)
    eventually(lambda: "to stderr" in server.log_lines(name), "it has logged")
    lines = server.log_lines(name)
    assert "one\nmessage\nof\nparts" in lines
    assert "plain" in lines
    request = next(line for line in lines if line.startswith("START")).split()[2]
    form = r"D, \[\d{4}-\d\d-\d\dT[\d:.]+ #\d+\] DEBUG " + request + " -- bill: small\nthings"
    assert any(re.fullmatch(form, line) for line in lines), lines
    form = r"I, \[[^\]]+\]  INFO " + request + " -- bill: news"
    assert any(re.fullmatch(form, line) for line in lines), lines
    if not runtime.endswith(version.rpartition(".")[0]):
        warned = [line for line in lines if line.startswith("[lampejo] WARNING")]
        assert f"there is no {runtime} on this machine" in warned[0]
    start = next(line for line in lines if line.startswith("INIT_START"))
    assert f"Runtime Version: ruby:{version.rpartition('.')[0]}.v" in start


def test_json_logs_have_a_level(server, create, name):
    logging = {"LogFormat": "JSON", "ApplicationLogLevel": "INFO"}
    create(LOGGING, LoggingConfig=logging)
    assert server.invoke(name, {"error": True}) == (None, None)
    eventually(lambda: "to stderr" in server.log_lines(name), "it has logged")
    records = [json.loads(it) for it in server.log_lines(name) if it.startswith('{"timestamp')]
    records = [record for record in records if record.get("logger") == "bill"]
    assert [(it["level"], it["message"]) for it in records] == [("INFO", "news"), ("ERROR", "bad")]
    assert all(re.fullmatch(r"[0-9a-f-]{36}", it["requestId"]) for it in records)
    error = records[1]
    assert (error["errorType"], error["errorMessage"]) == ("ArgumentError", "bad")
    assert error["timestamp"].endswith("Z")


def test_a_failure_is_a_json_record_too(server, create, name):
    create("def handler(event:, context:) = raise('no')", LoggingConfig={"LogFormat": "JSON"})
    assert server.invoke(name)[1] == "Unhandled"
    lines = eventually(lambda: server.log_lines(name, '{$.level = "ERROR"}'), "it is logged")
    record = json.loads(lines[0])
    assert (record["errorType"], record["errorMessage"]) == ("Function<RuntimeError>", "no")


def specification(gem, version):
    return f"""
Gem::Specification.new do |s|
  s.name, s.version, s.summary, s.authors = "{gem}", "{version}", "x", ["x"]
  s.files, s.require_paths = ["lib/{gem}.rb"], ["lib"]
end
"""


def gem(folder, name, version, source):
    """The files of a gem as Bundler leaves them."""
    return {
        f"{folder}/specifications/{name}-{version}.gemspec": specification(name, version),
        f"{folder}/gems/{name}-{version}/lib/{name}.rb": source,
    }


def test_gems_come_from_the_package_and_from_layers(server, create, name, runtime):
    version = runtime.removeprefix("ruby") + ".0"
    layer = {
        **gem(f"ruby/gems/{version}", "lemon", "2.0.0", "LEMON = 'of the layer'"),
        "ruby/lib/peel.rb": "PEEL = 'of the layer'",
    }
    published = server.client("lambda").publish_layer_version(
        LayerName=name, Content={"ZipFile": package(layer)}
    )
    source = """
require 'lime'
require 'lemon'
require 'peel'
require_relative 'own'
require 'own'
def handler(event:, context:)
  [LIME, LEMON, PEEL, OWN, Gem.loaded_specs['lemon'].version.to_s, ENV['GEM_PATH'], ENV['RUBYLIB']]
end
"""
    files = {
        "app.rb": source,
        "own.rb": "OWN = 'own'",
        **gem(f"vendor/bundle/ruby/{version}", "lime", "1.0.0", "LIME = 'of the package'"),
    }
    create(files, Layers=[published["LayerVersionArn"]])
    answer, kind = server.invoke(name)
    assert kind is None, answer
    assert answer == [
        "of the package",
        "of the layer",
        "of the layer",
        "own",
        "2.0.0",
        f"/var/task/vendor/bundle/ruby/{version}:/opt/ruby/gems/{version}",
        "/var/task:/var/runtime/lib:/opt/ruby/lib",
    ]


def test_without_a_sandbox_gems_are_found_where_they_lie(start, runtime, name):
    version = runtime.removeprefix("ruby") + ".0"
    layer = gem(f"ruby/gems/{version}", "lemon", "2.0.0", "LEMON = __FILE__")
    with start(isolation="process", environment={"LAMPEJO_NEAREST_RUNTIME": "true"}) as server:
        published = server.client("lambda").publish_layer_version(
            LayerName=name, Content={"ZipFile": package(layer)}
        )
        source = "require 'lemon'\ndef handler(event:, context:) = [LEMON, Dir.pwd]\n"
        server.function(
            name,
            source,
            file="app.rb",
            Runtime=runtime,
            Handler="app.handler",
            Layers=[published["LayerVersionArn"]],
        )
        (place, folder), kind = server.invoke(name)
    assert kind is None
    assert place.startswith(str(server.data)) and place.endswith("/lib/lemon.rb")
    assert folder.startswith(str(server.data))


def test_rubygems_is_there_for_whoever_asks(server, create):
    source = """
BEFORE = $LOADED_FEATURES.any? { |path| path.end_with?('/rubygems.rb') }
def handler(event:, context:)
  found = Gem::Version.new('1.10') > Gem::Version.new('1.9')
  gem 'json'
  [BEFORE, found, Logger::INFO]
end
"""
    assert server.invoke(create(source)) == ([False, True, 1], None)


def test_the_standard_library_is_not_the_functions(server, create):
    files = {"app.rb": "def handler(event:, context:) = 1", "json.rb": "raise 'not this one'"}
    assert server.invoke(create(files)) == (1, None)


def test_the_runtime_is_missing_without_the_setting(start, sandbox, runtime, version, refused):
    if runtime.endswith(version.rpartition(".")[0]):
        pytest.skip("this machine has one of Lambda's Rubies")
    with start(isolation=sandbox) as server, refused("InvalidParameterValueException") as refusal:
        server.function("f", "", Runtime=runtime, Handler="app.handler", file="app.rb")
    assert f"there is no interpreter for {runtime} on this machine" in refusal.message
    assert "rbenv install" in refusal.message
