"""A plugin that has run here once, unchanged, need not run for a command that only looks: what it declares is read from its text."""

import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.builders import pretrain_job
from tests.conftest import registered_for_a_while
from workers.artifacts.artifacts import Artifacts
from workers.components.component_registry import Component
from workers.errors import PluginNeededError, UserError
from workers.plugins import importer, known, load_plugins, run_when_needed
from workers.plugins.files import read_plugin
from workers.plugins.importer import has_run
from workers.registry import ATTACKS, DEFENCES, MODELS, REGISTRIES
from workers.spec.job import Job
from workers.spec.model import ModelSpec

PLUGIN = '''
from typing import TYPE_CHECKING, Annotated, Literal

import robustsweep as rs
from pydantic import Field

if TYPE_CHECKING:
    from torch import Tensor

STEPS = 5


@rs.model(modality="image", normalised=True)
def known_net(info: rs.DatasetInfo, *, width: int = 8, low: int = -1, kinds: tuple[int, ...] = (1,), act: Literal["relu", "tanh"] = "relu"):
    """A net."""
    return f"net {width}"


@rs.attack(norms=("linf", "l2"), random_start=False)
def known_attack(logits, inputs: "Tensor", labels, *, epsilon, steps: Annotated[int, Field(ge=1)] = STEPS, share: float | None = 0.5):
    return steps


@rs.defence
class KnownDefence(rs.Defence):
    """A defence."""

    def __init__(self, *, quality: int = 75) -> None:
        self.quality = quality
'''
NAMES = {("model", "known_net"), ("attack", "known_attack"), ("defence", "known_defence")}
pytestmark = pytest.mark.usefixtures("forgotten", "own_cache")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache of a test alone. Pytest and what it imports from here count as installed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(known, "_imports_installed_modules", lambda: True)
    return tmp_path / "cache"


def write(folder: Path, text: str = PLUGIN, **others: str) -> Path:
    for name, other in others.items():
        (folder / f"{name}.py").write_text(other)
    path = folder / "known_mine.py"
    path.write_text(text)
    return path


def runs(path: Path, *, when_needed: bool = True) -> bool:
    """True where a plugin runs as it is read in a new process."""
    importer._current.clear()
    with run_when_needed() if when_needed else nullcontext():
        load_plugins([path])
    return has_run(read_plugin(path))


def components() -> dict[tuple[str, str], Component[object]]:
    return {(one.kind, one.name): one for registry in REGISTRIES.values() for one in registry if "known" in one.name}


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A plugin that has run once."""
    path = write(tmp_path)
    assert runs(path)
    return path


def test_it_runs_when_a_component_of_it_is_called(plugin: Path) -> None:
    before = {place: known._facts([one]) for place, one in components().items()}
    assert before.keys() == NAMES
    assert not runs(plugin)
    assert {place: known._facts([one]) for place, one in components().items()} == before
    assert ATTACKS["known_attack"].settings.model_validate({"steps": 3}).model_dump() == {"steps": 3, "share": 0.5}
    assert (MODELS["known_net"].summary, DEFENCES["known_defence"].place.partition(",")[0]) == ("A net.", "known_mine.py")
    assert MODELS["known_net"].create(None, width=3) == "net 3"
    assert has_run(read_plugin(plugin))
    assert {place: known._facts([one]) for place, one in components().items()} == before


def test_a_name_in_it_runs_it(plugin: Path) -> None:
    assert not runs(plugin)
    assert MODELS["known_mine:known_net"].name == "known_mine:known_net"
    assert has_run(read_plugin(plugin))


def test_commands_that_run_sweeps_run_it(plugin: Path) -> None:
    assert runs(plugin, when_needed=False)


def test_an_edit_makes_it_run_and_the_earlier_version_stays_known(plugin: Path) -> None:
    write(plugin.parent, PLUGIN.replace("STEPS = 5", "STEPS = 7"))
    assert runs(plugin)
    assert ATTACKS["known_attack"].settings().model_dump()["steps"] == 7
    write(plugin.parent)
    assert not runs(plugin)
    assert ATTACKS["known_attack"].settings().model_dump()["steps"] == 5


def test_an_edit_of_a_file_that_it_imports_makes_it_run(plugin: Path) -> None:
    write(plugin.parent, f"from known_helpers import VALUE\n{PLUGIN}", known_helpers="VALUE = 1")
    assert runs(plugin)
    assert not runs(plugin)
    write(plugin.parent, f"from known_helpers import VALUE\n{PLUGIN}", known_helpers="VALUE = 2")
    assert runs(plugin)


def test_what_else_it_depends_on_makes_it_run(plugin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "_installed", lambda: ["torch-9.dist-info"])
    assert runs(plugin)
    monkeypatch.setattr(sys, "version", "4.0")
    assert runs(plugin)


@pytest.mark.parametrize("damage", ["", "nonsense", None])
def test_a_damaged_note_is_made_anew(plugin: Path, own_cache: Path, damage: str | None) -> None:
    (note,) = (own_cache / "robustsweep" / "plugins").iterdir()
    if damage is None:
        note.unlink()
    else:
        note.write_text(damage)
    assert runs(plugin)
    assert not runs(plugin)


def test_without_a_cache_it_runs_each_time(tmp_path: Path, own_cache: Path) -> None:
    own_cache.write_text("no folder")
    path = write(tmp_path)
    for _ in range(2):
        assert runs(path)


@pytest.mark.parametrize(
    "text",
    [
        PLUGIN.replace("STEPS = 5", "import os\nSTEPS = int(os.environ.get('STEPS', 5))"),
        PLUGIN.replace("STEPS = 5", "STEPS = 5\nif STEPS: STEPS = 6"),
        PLUGIN.replace("STEPS = 5", "STEPS = 5\nSTEPS = 6"),
        PLUGIN.replace("STEPS = 5", "from known_helpers import STEPS"),
        PLUGIN + "\n\nfor name in 'ab':\n    rs.metric(name=name)(lambda clean, attacked, labels: 0)\n",
        PLUGIN + "\n\nKnownMetric = rs.metric(name='known_metric')(lambda clean, attacked, labels: 0)\n",
        PLUGIN.replace("@rs.model(", "def same(one):\n    return one\n\n\n@same\n@rs.model("),
    ],
)
def test_what_its_text_alone_does_not_tell_makes_it_run_each_time(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text, known_helpers="STEPS = 5")
    for _ in range(2):
        assert runs(path)


def test_what_is_neither_installed_nor_its_own_makes_it_run_each_time(plugin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known._note(read_plugin(plugin)).unlink()
    monkeypatch.setattr(known, "_imports_installed_modules", lambda: False)
    assert runs(plugin)
    assert runs(plugin)


def test_a_clash_with_another_plugin_is_found(plugin: Path) -> None:
    del MODELS._components["known_net"]
    (plugin.parent / "other.py").write_text("import robustsweep as rs\n\n\n@rs.model\ndef known_net(info):\n    return None\n")
    load_plugins([plugin.parent / "other.py"])
    with pytest.raises(UserError, match=r"known_mine.py: line 13: model 'known_net': .*known_mine.py registers it, and .*other.py has"):
        runs(plugin)


def test_a_stored_job_of_a_plugin_that_was_edited_says_which_option_it_needs(tmp_path: Path) -> None:
    artifacts, path = Artifacts(tmp_path / "artifacts"), write(tmp_path)
    with registered_for_a_while():
        load_plugins([path])
        job = Job.of(pretrain_job().spec.model_copy(update={"model": ModelSpec(name="known_net", tensorized=False)}))
        artifacts.folder(job.key, attempt="a1").begin(job)
    path.write_text(PLUGIN.replace("STEPS = 5", "STEPS = 6"))
    with pytest.raises(PluginNeededError, match=rf"^job {job.key}: needs model known_net, of a plugin .* add --plugin {path}$"):
        artifacts.job(job.key)
    load_plugins([path])
    assert artifacts.job(job.key).key == job.key
