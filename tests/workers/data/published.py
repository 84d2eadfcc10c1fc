"""Stand-ins for the published archives of CIFAR-10 and Speech Commands, served on this machine to torchvision and torchaudio."""

import hashlib
import pickle
import tarfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torchvision
from torchaudio.datasets import speechcommands

from tests.workers.data.speech_root import make_root

CIFAR_ARCHIVE, SPEECH_ARCHIVE = "cifar-10-python.tar.gz", "speech_commands_v0.02.tar.gz"
_SPEECH_URL = f"http://download.tensorflow.org/data/{SPEECH_ARCHIVE}"
_BATCHES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


class Website:
    """A web server on loopback with the files of `folder`; `asked` lists the names of those that were fetched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        self.address = ""

    @contextmanager
    def open(self) -> Iterator["Website"]:
        site = self

        class Handler(SimpleHTTPRequestHandler):
            # As a proxy it is asked for whole URLs: the last part is the file.
            def translate_path(self, path: str) -> str:
                return str(site.folder / path.rpartition("/")[2])

            def do_GET(self) -> None:
                site.asked.append(self.path.rpartition("/")[2])
                super().do_GET()

            def log_message(self, *arguments: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = Thread(target=server.serve_forever, daemon=True)
            thread.start()
            self.address = f"http://127.0.0.1:{server.server_address[1]}"
            yield self
            server.shutdown()
            thread.join()


def publish(site: Website, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Serve small archives made in `folder`, and make them the ones that torchvision and torchaudio look for."""
    _publish_cifar10(site, folder, patch)
    _publish_speech_commands(site, folder, patch)


def _publish_cifar10(site: Website, folder: Path, patch: pytest.MonkeyPatch) -> None:
    batches = folder / "cifar-10-batches-py"
    batches.mkdir()
    for number, name in enumerate(_BATCHES):
        images = np.random.default_rng(number).integers(256, size=(10, 3072), dtype=np.uint8)
        _pickle(batches / name, {"data": images, "labels": list(range(10))})
    _pickle(batches / "batches.meta", {"label_names": list("abcdefghij")})
    md5s = [[name, digest_of(batches / name, "md5")] for name in _BATCHES]
    archive = _archive(batches, site.folder / CIFAR_ARCHIVE, name=batches.name)
    published = torchvision.datasets.CIFAR10
    patch.setattr(published, "url", f"{site.address}/{CIFAR_ARCHIVE}")
    patch.setattr(published, "tgz_md5", digest_of(archive, "md5"))
    patch.setattr(published, "train_list", md5s[:-1])
    patch.setattr(published, "test_list", md5s[-1:])
    patch.setattr(published, "meta", published.meta | {"md5": digest_of(batches / "batches.meta", "md5")})


def _publish_speech_commands(site: Website, folder: Path, patch: pytest.MonkeyPatch) -> None:
    made = make_root(folder) / "SpeechCommands" / "speech_commands_v0.02"
    archive = _archive(made, site.folder / SPEECH_ARCHIVE, name=".")
    # torchaudio's URL is fixed, so the server plays the proxy on the way to it.
    patch.setattr(urllib.request, "_opener", urllib.request.build_opener(urllib.request.ProxyHandler({"http": site.address})))
    patch.setitem(speechcommands._CHECKSUMS, _SPEECH_URL, digest_of(archive, "sha256"))


def _pickle(path: Path, content: object) -> None:
    path.write_bytes(pickle.dumps(content, protocol=2))


def _archive(folder: Path, path: Path, *, name: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        tar.add(folder, arcname=name)
    return path


def digest_of(path: Path, algorithm: str) -> str:
    return hashlib.new(algorithm, path.read_bytes()).hexdigest()
