"""Where benchmarks leave their ratios: printed, and in `build/bench.json` as name -> {ratio, asked, reference}."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Record = Callable[..., None]
_FILE = Path(__file__).parents[2] / "build" / "bench.json"


@pytest.fixture(scope="session")
def record() -> Iterator[Record]:
    """A function that notes one ratio, what was asked of it and what it is measured against."""
    found: dict[str, dict[str, object]] = json.loads(_FILE.read_text()) if _FILE.exists() else {}

    def note(name: str, ratio: float, *, asked: str, reference: str) -> None:
        found[name] = {"ratio": round(ratio, 3), "asked": asked, "reference": reference}
        print(f"\n{name}: {ratio:.3f} (asked {asked}; against {reference})", flush=True)

    yield note
    _FILE.parent.mkdir(exist_ok=True)
    _FILE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
