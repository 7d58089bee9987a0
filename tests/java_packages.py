"""Packages of Java functions: compiled by the machine's JDK, with AWS's own libraries."""

import hashlib
import pathlib
import subprocess
import tempfile
import urllib.error
import urllib.request

import pytest

from lampejo_server import doctor, package

SOURCES = pathlib.Path(__file__).parent / "scenarios" / "java"
CENTRAL = "https://repo.maven.apache.org/maven2"
TIMEOUT_SECONDS = 30
AWS = "com/amazonaws/aws-lambda-java-"
# What is fetched once into the cache folder, and what must be in it.
PINS = {
    "core": (
        f"{AWS}core/1.4.0/aws-lambda-java-core-1.4.0.jar",
        "575c24393cc1ad645e83e618956eabd89ffe8cc09efae2cb62bc6589154d68ed",
    ),
    "events": (
        f"{AWS}events/3.16.1/aws-lambda-java-events-3.16.1.jar",
        "e090b3832e8b4decbde272b8b0e6dd248115fe20d05f17e00f32a00805892f05",
    ),
    "runtime-interface-client": (
        f"{AWS}runtime-interface-client/2.9.0/aws-lambda-java-runtime-interface-client-2.9.0.jar",
        "26568a5f63bf9e921567e77661be425650abc8972bae2aa0b7e99bab4e4239d9",
    ),
    "serialization": (
        f"{AWS}serialization/1.2.0/aws-lambda-java-serialization-1.2.0.jar",
        "1513c1f945a3213f916a4b2de1760c97b51d84d110f82bbbcf9cfac53d5651e7",
    ),
    "joda-time": (
        "joda-time/joda-time/2.10.8/joda-time-2.10.8.jar",
        "da04572b431597f0a42e6a7f44973f2bdc975776c25ad3cdb2ba92d17c554a66",
    ),
}


def runtimes():
    """The machine's JDKs: {runtime: home folder}."""
    return {name: pathlib.Path(path).parent.parent for name, _, path in found()}


def version(runtime):
    """The version of the JDK that serves a runtime."""
    return next(version for name, version, _ in found() if name == runtime)


def found():
    """What the doctor finds: (runtime, version, program)."""
    lines = [line.split()[1:] for line in doctor().stdout.splitlines()]
    named = [line for line in lines if len(line) == 3 and line[0].startswith("java")]
    # One name each: java17.al2023 is the same JDK.
    return [line for line in named if "al2023" not in line[0]]


def jar(cache, artifact):
    """The path of one of AWS's libraries; skips the test if it cannot be had."""
    path, digest = PINS[artifact]
    kept = cache / "java" / pathlib.PurePosixPath(path).name
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        try:
            with urllib.request.urlopen(f"{CENTRAL}/{path}", timeout=TIMEOUT_SECONDS) as answer:
                content = answer.read()
        except (urllib.error.URLError, TimeoutError) as error:
            pytest.skip(f"Maven Central cannot be reached for {artifact}: {error}")
        with tempfile.NamedTemporaryFile(dir=kept.parent, delete=False) as file:
            file.write(content)
        pathlib.Path(file.name).rename(kept)
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == digest, f"{kept} is not what was pinned"
    return kept


def classes(home, release, jars=()):
    """The classes of all the tests' sources, as files of a package."""
    with tempfile.TemporaryDirectory(prefix="lampejo-java-") as folder:
        sources = [str(path) for path in sorted(SOURCES.rglob("*.java"))]
        arguments = ["-nowarn", "-proc:none", "-encoding", "UTF-8", "-d", folder]
        arguments += ["-cp", ":".join(str(path) for path in jars)]
        arguments += ["--release", str(release)] if release > 8 else []
        subprocess.run([home / "bin" / "javac", *arguments, *sources], check=True)
        root = pathlib.Path(folder)
        return {str(it.relative_to(root)): it.read_bytes() for it in root.rglob("*.class")}


def run(home, folder, jars, *arguments):
    """What the only program of a folder prints."""
    with tempfile.TemporaryDirectory(prefix="lampejo-java-") as classes:
        sources = [*sorted(folder.rglob("*.java")), SOURCES / "example" / "Order.java"]
        path = ":".join(str(it) for it in jars)
        compiler = [home / "bin" / "javac", "-nowarn", "-proc:none", "-encoding", "UTF-8"]
        subprocess.run([*compiler, "-cp", path, "-d", classes, *sources], check=True)
        main = ".".join(sources[0].relative_to(folder).with_suffix("").parts)
        java = [home / "bin" / "java", "-Dfile.encoding=UTF-8", "-cp", f"{path}:{classes}", main]
        ended = subprocess.run([*java, *arguments], check=True, capture_output=True, text=True)
        return ended.stdout


def zipped(files, jars=()):
    """A package of classes with libraries."""
    return package({**files, **{f"lib/{path.name}": path.read_bytes() for path in jars}})
