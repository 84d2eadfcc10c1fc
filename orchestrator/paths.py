"""Locations of a sweep's files, the home folder, the store, the artifacts, the data, and files that are whole or not there."""

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import URL, make_url

from workers.artifacts.artifacts import Artifacts
from workers.artifacts.storage import absolute, absolute_path
from workers.data.loading.remote import DataRoot, data_root
from workers.errors import UserError
from workers.files import require_regular

DEFAULT_HOME = Path("sweeps")


@dataclass(frozen=True)
class Paths:
    """Folders and store URL of one command, absolute (Ray's workers run in other folders); artifacts and data may be at a URL."""

    home: Path
    store_url: str = field(repr=False)  # it may hold a password
    data_root: DataRoot
    artifacts_url: str

    @classmethod
    def resolve(cls, *, home: Path, store: str | None, data: str | Path | None = None, artifacts: str | None = None) -> "Paths":
        """Return the locations that the options, or their defaults, name.

        Raises:
            UserError: one of them cannot be a path, or the data's is no absolute one.
        """
        home = absolute_path(home)
        place = absolute(artifacts or home / "artifacts")
        own = URL.create("sqlite", database=str(home / "results.db")).render_as_string()
        return cls(home, store or own, data_root(str(data) if data else None), place)

    @property
    def options(self) -> list[str]:
        """The options by which a command finds the same places, as words; none for the default ones. A password in the URL is hidden."""
        usual = Paths.resolve(home=self.home, store=None)
        words = ["--home", str(self.home)] if self.home != absolute_path(DEFAULT_HOME) else []
        words += ["--store", shown_url(make_url(self.store_url))] if self.store_url != usual.store_url else []
        return words + (["--artifacts", self.artifacts_url] if self.artifacts_url != usual.artifacts_url else [])

    @property
    def artifacts(self) -> Artifacts:
        """Artifact store at `artifacts_url`.

        Raises:
            UserError: the URL's kind is not supported.
        """
        return Artifacts(self.artifacts_url)


def shown_url(url: URL) -> str:
    """Return a store's URL as it may be printed: no password, neither in its place nor among the options."""
    hidden = {name: "***" for name in url.query if "password" in name}
    plain = url.update_query_dict(hidden).set(drivername=url.get_backend_name())
    return plain.render_as_string(hide_password=True).replace("%2A%2A%2A", "***")


def store_options(address: URL) -> list[str]:
    """Return the options of a command on the store at that address; none where it is in the default home. A password is hidden."""
    if address.render_as_string() == Paths.resolve(home=DEFAULT_HOME, store=None).store_url:
        return []
    path = Path(address.database or "")
    is_in_home = address.get_backend_name() == "sqlite" and path.name == "results.db" and not address.query
    return ["--home", str(path.parent)] if is_in_home else ["--store", shown_url(address)]


def replace_file(path: Path, content: bytes) -> None:
    """Write to a temporary file next to `path`, then rename: a reader sees the old file or the new one, whole.

    Raises:
        OSError: it cannot be written there, or a pipe or a device is there, which a file would take the place of.
    """
    if not path.name:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists():
        require_regular(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Write the file, and the folders that it is to lie in, as `replace_file` does.

    Raises:
        UserError: it cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
