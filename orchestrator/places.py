"""Where a sweep's things are: the home folder, the store, the data."""

from dataclasses import dataclass, field
from pathlib import Path

from workers.artifacts import Artifacts

DEFAULT_HOME = Path("sweeps")


@dataclass(frozen=True)
class Places:
    """The folders and the store URL of one command, the paths absolute (Ray's workers run elsewhere)."""

    home: Path
    store_url: str = field(repr=False)  # it may hold a password
    data_root: Path | None

    @classmethod
    def resolve(cls, *, home: Path, store: str | None, data: Path | None = None) -> "Places":
        home = home.expanduser().absolute()
        return cls(home, store or f"sqlite:///{home / 'results.db'}", data.expanduser().absolute() if data else None)

    @property
    def artifacts(self) -> Artifacts:
        return Artifacts(self.home / "artifacts")
