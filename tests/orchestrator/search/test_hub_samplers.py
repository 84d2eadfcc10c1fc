"""OptunaHub's samplers, from its package's own cache as it is filled by a download."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from search_spaces import SpaceError, parse_space
from tests.commands import robustsweep, rows, write_space
from workers.errors import UserError

SEARCH = """
method: optuna
search: {{sampler: "{sampler}", n_trials: 3, n_parallel: 1, objectives: [clean_accuracy]}}
data: {{name: digits, train_examples: 64}}
model: {{width: 2, tensorized: false}}
training: {{epochs: 1, batch_size: 32, learning_rate: {{min: 0.01, max: 0.1}}}}
evaluation: {{examples: 12, batch_size: 6, repeats: 1}}
"""
PACKAGE = """
import optuna

class Backwards(optuna.samplers.RandomSampler):
    def __init__(self, seed=None):
        super().__init__(seed=(seed or 0) + 1)

class NeedsMore(optuna.samplers.RandomSampler):
    def __init__(self, temperature):
        super().__init__()

__all__ = ["Backwards", "NeedsMore"]
"""


def test_a_name_of_no_sampler_is_refused_with_the_legal_ones() -> None:
    with pytest.raises(SpaceError, match="'tpee': must be one of gp, nsga2, nsga3, qmc, random, tpe, or optunahub:NAME"):
        parse_space(SEARCH.format(sampler="tpee"), label="x.yaml", stem="x")


@pytest.mark.skipif(find_spec("optunahub") is not None, reason="optunahub is installed")
def test_a_sampler_of_the_hub_needs_its_package(tmp_path: Path) -> None:
    space = write_space(tmp_path, SEARCH.format(sampler="optunahub:mine"))
    done = robustsweep("launch", space, "--executor", "inline", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "robustsweep: search.sampler optunahub:mine: needs the package optunahub; pip install 'robustsweep[optunahub]'\n"
    )


@pytest.mark.slow
def test_a_sampler_of_the_hub_searches_and_one_that_cannot_be_had_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("optunahub", reason="optunahub is not installed: pip install 'robustsweep[optunahub]'")
    from orchestrator.search.samplers import hub_sampler, sampler_class

    folder = tmp_path / "hub" / "github.com" / "optuna" / "optunahub-registry" / "main" / "package" / "samplers" / "mine"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(PACKAGE)
    monkeypatch.setenv("OPTUNAHUB_CACHE_HOME", str(tmp_path / "hub"))
    env = {"OPTUNAHUB_CACHE_HOME": str(tmp_path / "hub")}
    space = write_space(tmp_path, SEARCH.format(sampler="optunahub:mine:Backwards"))
    done = robustsweep("launch", space, "--executor", "inline", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert len({row["model_key"] for row in rows(tmp_path)}) == 3
    assert sampler_class("optunahub:mine:Backwards").__name__ == "Backwards"
    with pytest.raises(UserError, match="must name one of the package's samplers: optunahub:mine:Backwards, optunahub:mine:NeedsMore"):
        sampler_class("optunahub:mine")
    with pytest.raises(UserError, match=r"cannot be made without settings of its own: .*temperature"):
        hub_sampler("optunahub:mine:NeedsMore", seed=0)
    with pytest.raises(UserError, match=r"^search.sampler optunahub:nothing: cannot be had from OptunaHub: "):
        sampler_class("optunahub:nothing")
