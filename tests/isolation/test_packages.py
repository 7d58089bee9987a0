"""Deployment packages that try to reach beyond their folder."""

import io
import stat
import zipfile

import pytest

from lampejo_server import PYTHON, ROLE, package

HANDLER = "def handler(event, context): return 1"
REFUSED = "Could not unzip uploaded file. Please check your file, then try to upload again."


def archive(*entries):
    """A zip of (name, content, mode) with the mode as Unix stores it, file type and all."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        zipped.writestr("index.py", HANDLER)
        for name, content, mode in entries:
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = mode << 16
            zipped.writestr(entry, content)
    return buffer.getvalue()


LINK = stat.S_IFLNK | 0o777
FILE = stat.S_IFREG | 0o644

HOSTILE = {
    "a link to a secret": [("shadow", "/etc/shadow", LINK)],
    "a link to the root": [("root", "/", LINK)],
    "a link upwards": [("up", "../../../../etc/shadow", LINK)],
    "a link upwards behind a folder": [("a/b/up", "../../../other", LINK)],
    "a file behind a link": [("tmp", "/tmp", LINK), ("tmp/planted", "x", FILE)],
    "a link behind a link": [("a", ".", LINK), ("a/b", "..", LINK)],
    "an absolute name": [("/etc/cron.d/planted", "x", FILE)],
    "a name upwards": [("../planted", "x", FILE)],
    "a name upwards from below": [("a/../../planted", "x", FILE)],
    "a device": [("sda", "", stat.S_IFBLK | 0o666)],
    "a named pipe": [("pipe", "", stat.S_IFIFO | 0o666)],
    "a socket": [("socket", "", stat.S_IFSOCK | 0o666)],
    "a file that is a folder": [("a", "1", FILE), ("a/b", "2", FILE)],
}


def create(server, name, code):
    return server.client("lambda").create_function(
        FunctionName=name,
        Runtime=PYTHON,
        Handler="index.handler",
        Role=ROLE,
        Code={"ZipFile": code},
    )


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_package_is_refused(server, name, refused, kind):
    with refused("InvalidParameterValueException", REFUSED, status=400):
        create(server, name, archive(*HOSTILE[kind]))
    assert not list(server.folder.rglob("planted"))


def test_what_is_no_zip_is_refused(server, name, refused):
    whole = package({"index.py": HANDLER})
    for code in (b"no zip", whole[:-30], b"PK\x05\x06" + bytes(10)):
        with refused("InvalidParameterValueException", REFUSED):
            create(server, name, code)


def test_a_package_that_unfolds_beyond_the_limit_is_refused(server, name, refused):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
        with zipped.open("zeros", "w", force_zip64=True) as file:
            for _ in range(251):
                file.write(bytes(1 << 20))
    assert len(buffer.getvalue()) < 1 << 20
    text = "Unzipped size must be smaller than 262144000 bytes"
    with refused("InvalidParameterValueException", text):
        create(server, name, buffer.getvalue())


def test_links_that_stay_inside_are_kept_and_modes_lose_what_is_special(server, name):
    program = "#!/bin/sh\nid -u\n"
    create(
        server,
        name,
        archive(
            ("bin/tool", program, stat.S_IFREG | 0o6755),
            ("lib/deep/tool", "../../bin/tool", LINK),
            ("secret", "s", stat.S_IFREG | 0o600),
            (
                "index2.py",
                "import os, subprocess\ndef handler(event, context):\n"
                "  modes = [oct(os.stat(it).st_mode & 0o7777) for it in ('bin/tool', 'secret')]\n"
                "  return modes, subprocess.check_output('lib/deep/tool', text=True)\n",
                FILE,
            ),
        ),
    )
    client = server.client("lambda")
    client.get_waiter("function_active_v2").wait(FunctionName=name)
    client.update_function_configuration(FunctionName=name, Handler="index2.handler")
    client.get_waiter("function_updated_v2").wait(FunctionName=name)
    assert server.invoke(name) == ([["0o755", "0o644"], "993\n"], None)
