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
    "a character device": [("null", "", stat.S_IFCHR | 0o666)],
    "a link to itself": [("loop", "loop", LINK), ("loop/planted", "x", FILE)],
    "a link to the folder above": [("up", "..", LINK)],
    "an absolute link inside": [("link", "/var/task/index.py", LINK)],
    "a link far too long": [("link", "x/" * 5000, LINK)],
    "a link in place of a folder": [("a/b", "1", FILE), ("a", "/tmp", LINK)],
    "a name far too long": [("n" * 300, "x", FILE)],
    "a path far too long": [("folder/" * 800 + "f", "x", FILE)],
}
# Odd, but they stay where they belong.
ODD = {
    "names that differ in case": [("A", "1", FILE), ("a", "2", FILE)],
    "a name of dots": [("...", "1", FILE), ("..a", "2", FILE)],
    "a folder with an odd mode": [("d/", "", stat.S_IFDIR | 0), ("d/f", "1", FILE)],
    "a name upwards in the other slashes": [("..\\..\\odd", "x", FILE)],
    "a file twice": [("a", "1", FILE), ("a", "2", FILE)],
    "a setuid program": [("s", "1", stat.S_IFREG | 0o6755)],
}


def create(server, name, code):
    return server.client("lambda").create_function(
        FunctionName=name,
        Runtime=PYTHON,
        Handler="index.handler",
        Role=ROLE,
        Code={"ZipFile": code},
    )


@pytest.mark.filterwarnings("ignore:Duplicate name")
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


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", ODD)
def test_an_odd_package_works(server, name, kind):
    create(server, name, archive(*ODD[kind]))
    server.client("lambda").get_waiter("function_active_v2").wait(FunctionName=name)
    assert server.invoke(name) == (1, None)


def forged(change):
    """A package whose directory was changed afterwards."""
    code = bytearray(archive(("data", "x" * 10_000, FILE)))
    change(code, code.rindex(b"PK\x01\x02"))
    return bytes(code)


def test_a_package_that_lies_is_refused_and_harms_nobody(server, name, refused, unharmed):
    def set_bytes(at, value):
        def change(code, entry):
            code[entry + at : entry + at + len(value)] = value

        return change

    lies = {
        "a compressed size beyond the file": set_bytes(20, b"\xfe\xff\xff\x7f"),
        "an offset beyond the file": set_bytes(42, b"\xfe\xff\xff\x7f"),
        "an offset into another entry": set_bytes(42, b"\x07\0\0\0"),
        "another checksum": set_bytes(16, b"\1\2\3\4"),
        "an unknown compression": set_bytes(10, b"\x63\0"),
        "a password": set_bytes(8, b"\1\0"),
    }
    for kind, change in lies.items():
        try:
            with refused("InvalidParameterValueException"):
                create(server, name, forged(change))
        except AssertionError as error:
            raise AssertionError(kind) from error
    unharmed()


def test_a_bomb_that_says_that_it_is_small_is_refused(server, name, refused):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
        with zipped.open("zeros", "w") as file:
            for _ in range(260):
                file.write(bytes(1 << 20))
    code = bytearray(buffer.getvalue())
    directory = code.rindex(b"PK\x01\x02")
    code[directory + 24 : directory + 28] = code[22:26] = (10).to_bytes(4, "little")
    with refused("InvalidParameterValueException"):
        create(server, name, bytes(code))


def test_a_package_of_many_files_or_of_one_in_another_is_bounded(server, name, refused, unharmed):
    # A bomb of the flat kind: every entry's data is the same few bytes of the file.
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("kernel", bytes(20 << 20))
    one = buffer.getvalue()
    start = one.rindex(b"PK\x01\x02")
    end = one.rindex(b"PK\x05\x06")
    entry, count = one[start:end], 100
    entries = b"".join(entry.replace(b"kernel", b"k%05d" % it) for it in range(count))
    tail = bytearray(one[end:])
    tail[8:12] = count.to_bytes(2, "little") * 2
    tail[12:16] = len(entries).to_bytes(4, "little")
    with refused("InvalidParameterValueException"):
        create(server, name, one[:start] + entries + bytes(tail))
    unharmed()
