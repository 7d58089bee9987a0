"""Deployment packages: what is taken, from where, and what is refused in AWS's words."""

import hashlib
import io
import stat
import urllib.request
import zipfile
from base64 import b64encode

import pytest

from lampejo_server import PYTHON, ROLE, package

HANDLER = "def handler(event, context):\n    return 'answer'\n"
NOT_A_ZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."


@pytest.fixture
def create(server, name):
    """Creates a function of some code; answers with CreateFunction's answer."""

    def run(code, **settings):
        settings = {"Runtime": PYTHON, "Handler": "index.handler", "Role": ROLE, **settings}
        return server.client("lambda").create_function(FunctionName=name, Code=code, **settings)

    return run


def with_entry(entry_name, content, mode):
    """A sound package with one entry more."""
    buffer = io.BytesIO(package({"index.py": HANDLER}))
    with zipfile.ZipFile(buffer, "a") as archive:
        entry = zipfile.ZipInfo(entry_name)
        entry.create_system = 3
        entry.external_attr = mode << 16
        archive.writestr(entry, content)
    return buffer.getvalue()


def test_code_comes_from_a_bucket(server, create, name):
    s3 = server.client("s3")
    s3.create_bucket(Bucket=name)
    code = package({"index.py": HANDLER})
    s3.put_object(Bucket=name, Key="code.zip", Body=code)
    created = create({"S3Bucket": name, "S3Key": "code.zip"})
    assert created["CodeSize"] == len(code)
    assert created["CodeSha256"] == b64encode(hashlib.sha256(code).digest()).decode()
    assert server.invoke(name) == ("answer", None)


def test_code_that_is_not_in_the_bucket(server, create, name, refused):
    server.client("s3").create_bucket(Bucket=name)
    text = (
        "Error occurred while GetObject. S3 Error Code: NoSuchKey. "
        "S3 Error Message: The specified key does not exist."
    )
    with refused("InvalidParameterValueException", text, 400):
        create({"S3Bucket": name, "S3Key": "no.zip"})
    text = (
        "Error occurred while GetObject. S3 Error Code: NoSuchBucket. "
        "S3 Error Message: The specified bucket does not exist"
    )
    with refused("InvalidParameterValueException", text, 400):
        create({"S3Bucket": f"{name}-no", "S3Key": "no.zip"})


def test_the_package_is_downloaded_as_it_was_uploaded(server, create, name):
    code = package({"index.py": HANDLER})
    create({"ZipFile": code})
    found = server.client("lambda").get_function(FunctionName=name)
    assert found["Code"]["RepositoryType"] == "S3"
    with urllib.request.urlopen(found["Code"]["Location"]) as answer:
        assert answer.read() == code


@pytest.mark.parametrize(
    "code",
    [
        b"this is no zip",
        package({"index.py": HANDLER})[:-30],
        with_entry("../outside.py", "x", stat.S_IFREG | 0o644),
        with_entry("/etc/outside.py", "x", stat.S_IFREG | 0o644),
        with_entry("link", "/etc/passwd", stat.S_IFLNK | 0o777),
        with_entry("link", "../../outside", stat.S_IFLNK | 0o777),
        with_entry("device", "", stat.S_IFCHR | 0o666),
    ],
    ids=["text", "cut", "upwards", "absolute", "link-absolute", "link-up", "device"],
)
def test_a_package_that_is_broken_or_leads_outside_is_refused(create, refused, code):
    with refused("InvalidParameterValueException", NOT_A_ZIP, 400):
        create({"ZipFile": code})


def test_an_empty_package_is_refused(create, refused):
    with refused("InvalidParameterValueException", "Uploaded file must be a non-empty zip", 400):
        create({"ZipFile": package({})})


def test_a_package_that_unpacks_to_too_much_is_refused(create, refused):
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(251):
            archive.writestr(f"{n}.bin", bytes(1 << 20))
    assert len(bomb.getvalue()) < 1 << 20
    text = "Unzipped size must be smaller than 262144000 bytes"
    with refused("InvalidParameterValueException", text, 400):
        create({"ZipFile": bomb.getvalue()})


def test_a_link_inside_the_package_is_kept(server, create, name):
    source = "def handler(event, context):\n    return open('/var/task/link').read()\n"
    buffer = io.BytesIO(package({"index.py": source, "data/text": "behind a link"}))
    with zipfile.ZipFile(buffer, "a") as archive:
        entry = zipfile.ZipInfo("link")
        entry.create_system = 3
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "data/text")
    create({"ZipFile": buffer.getvalue()})
    assert server.invoke(name) == ("behind a link", None)


def test_a_zip_of_more_than_fifty_megabytes_must_go_through_a_bucket(create, refused):
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("index.py", HANDLER)
        archive.writestr("large.bin", bytes(52_428_800))
    text = "Zipped size must be smaller than 52428800 bytes"
    with refused("RequestEntityTooLargeException", text, 413):
        create({"ZipFile": code.getvalue()})


def test_code_is_needed_once(create, refused):
    with refused("InvalidParameterValueException", "Please provide a source for function code."):
        create({})
    text = "Please do not provide other FunctionCode parameters when providing a ZipFile."
    with refused("InvalidParameterValueException", text):
        create({"ZipFile": package({"index.py": HANDLER}), "S3Bucket": "a-bucket", "S3Key": "k"})
