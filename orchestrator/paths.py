"""Locations of a sweep's files: the home folder, the store, the artifacts, the data."""

from dataclasses import dataclass, field
from pathlib import Path

from workers.artifacts.artifacts import Artifacts
from workers.artifacts.storage import absolute
from workers.data.loading.remote import DataRoot, data_root

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
        home = home.expanduser().absolute()
        place = absolute(artifacts or home / "artifacts")
        return cls(home, store or f"sqlite:///{home / 'results.db'}", data_root(str(data) if data else None), place)

    @property
    def artifacts(self) -> Artifacts:
        """Artifact store at `artifacts_url`.

        Raises:
            UserError: the URL's kind is not supported.
        """
        return Artifacts(self.artifacts_url)
