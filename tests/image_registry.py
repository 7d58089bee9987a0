"""A registry of container images as a process of its own, and images made here without Docker."""

import contextlib
import gzip
import hashlib
import io
import json
import os
import pathlib
import platform
import shutil
import socket
import subprocess
import tarfile
import urllib.error
import urllib.request

from lampejo_server import eventually

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
MANIFEST_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "amd64")


def program():
    """Debian's docker-registry; `cargo xtask test` fetches it."""
    return os.environ.get("LAMPEJO_REGISTRY") or shutil.which("docker-registry")


class Registry:
    """One registry and its folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.process = None
        self.host = None

    def start(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.host = f"127.0.0.1:{free.getsockname()[1]}"
        config = {
            "version": 0.1,
            "log": {"level": "error"},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "data")}},
            "http": {"addr": self.host},
        }
        # JSON is YAML.
        (self.folder / "config.yml").write_text(json.dumps(config))
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [program(), "serve", str(self.folder / "config.yml")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        eventually(self.answers, "the registry answers")
        return self

    def answers(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            with urllib.request.urlopen(f"http://{self.host}/v2/", timeout=5):
                return True
        return False

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=30)
            self.process = None

    def push(self, repository, layers, tag="latest", **config):
        """Pushes an image of these packed layers; answers with its name and its digest."""
        parts = [self.part(repository, LAYER, layer) for layer in layers]
        file = {"architecture": ARCHITECTURE, "os": "linux", "config": config}
        file["rootfs"] = {"type": "layers", "diff_ids": []}
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.part(repository, CONFIG, json.dumps(file).encode()),
            "layers": parts,
        }
        return self.manifest(repository, manifest, tag)

    def manifest(self, repository, manifest, tag):
        content = json.dumps(manifest).encode()
        address = f"http://{self.host}/v2/{repository}/manifests/{tag}"
        self.send("PUT", address, content, manifest["mediaType"])
        return f"{self.host}/{repository}:{tag}", hashlib.sha256(content).hexdigest()

    def part(self, repository, kind, content):
        """Uploads a blob; answers with its descriptor."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        begun = self.send("POST", f"http://{self.host}/v2/{repository}/blobs/uploads/")
        place = begun.headers["Location"]
        address = f"{place}{'&' if '?' in place else '?'}digest={digest}"
        self.send("PUT", address, content, "application/octet-stream")
        return {"mediaType": kind, "size": len(content), "digest": digest}

    @staticmethod
    def send(method, address, content=b"", kind="application/octet-stream"):
        request = urllib.request.Request(address, data=content, method=method)
        request.add_header("Content-Type", kind)
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()
            return answer


def layer(*entries):
    """A packed layer. An entry is (path, content), (path, content, mode), or a `TarInfo`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                archive.addfile(entry)
                continue
            path, content, *mode = entry
            content = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(path)
            info.size = len(content)
            info.mode = mode[0] if mode else 0o644
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), 1, mtime=0)


def special(path, kind, target="", mode=0o755):
    """An entry that is no file: a link, a folder, a device."""
    info = tarfile.TarInfo(path)
    info.type, info.linkname, info.mode = kind, target, mode
    return info
