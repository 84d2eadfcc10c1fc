"""Loss surfaces as they are read and drawn."""

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from orchestrator.naming.names import surface_family
from orchestrator.paths import Paths
from orchestrator.report import surface_page
from orchestrator.report.surface_grids import SurfaceGrid, families, surface_draws, surface_grids
from orchestrator.store import SurfaceRow, open_store, record_result, surface_rows
from tests.builders import fine_tune_job, pretrain_job, result_of, surface_job
from tests.commands import environment, robustsweep, write_space
from tests.kept_files import job_folder
from tests.stored import record_sweep
from workers.artifacts.artifacts import Artifacts
from workers.errors import UserError
from workers.spec.job import Job

SPACE = """
data: {name: digits, train_examples: 64}
model: {width: 2, theta: [1.0, 0.8]}
training: {epochs: 1, batch_size: 32}
evaluation: {examples: 12, batch_size: 6}
surfaces:
  - {direction: [theta_one, own], resolution: 5, draws: 2}
"""


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a sweep with four surfaces, of which two are one, was run inline."""
    folder = tmp_path_factory.mktemp("launched")
    done = robustsweep("launch", write_space(folder, SPACE), "--executor", "inline", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def grids(folder: Path) -> tuple[list[SurfaceGrid], list[str]]:
    with open_store(f"sqlite:///{folder / 'sweeps' / 'results.db'}", upgrade=False) as store:
        return surface_grids(store, Artifacts(folder / "sweeps" / "artifacts"), "tiny")


def test_a_sweeps_surfaces_are_read_with_their_grids(launched: Path) -> None:
    found, problems = grids(launched)
    assert problems == []
    assert [(grid.row.theta, grid.row.direction) for grid in found] == [(1.0, "theta_one"), (0.8, "theta_one"), (0.8, "own")]
    assert [grid.losses.shape for grid in found] == [(1, 5, 5), (2, 5, 5), (2, 5, 5)]
    for grid in found:
        assert (float(grid.losses.min()), float(grid.losses.max())) == (grid.row.least_loss, grid.row.greatest_loss)
        assert grid.losses[:, 2, 2].mean() == pytest.approx(grid.row.clean_loss)
        with pytest.raises(ValueError, match="read-only"):
            grid.losses[0, 0, 0] = 0
    full, shared, own = found
    assert np.array_equal(full.directions, shared.directions)
    assert not np.array_equal(full.directions, own.directions)


def test_the_status_and_the_plan_know_the_stage(launched: Path) -> None:
    status = robustsweep("status", "tiny", cwd=launched)
    assert re.search(r"surface +3 ", status.stdout)
    assert (
        "loss surface of example 0, direction own, resolution=5, draws=2" in robustsweep("plan", "tiny.yaml", "--jobs", cwd=launched).stdout
    )


def test_a_surface_without_its_artifact_is_named_and_left_out(launched: Path, tmp_path: Path) -> None:
    shutil.copytree(launched / "sweeps", tmp_path / "sweeps")
    whole, _ = grids(tmp_path)
    shutil.rmtree(job_folder(tmp_path / "sweeps" / "artifacts", whole[1].row.job_key))
    found, (problem,) = grids(tmp_path)
    assert [grid.row for grid in found] == [whole[0].row, whole[2].row]
    assert whole[1].row.job_key in problem


def test_reading_surfaces_needs_neither_torch_nor_plotly() -> None:
    code = "import orchestrator.report.surface_page, sys; print(sorted({'torch', 'ray', 'plotly'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_page_holds_every_surface_and_opens_offline(launched: Path) -> None:
    pytest.importorskip("plotly")
    done = robustsweep("surfaces", "tiny", "--out", "pages", cwd=launched)
    assert done.returncode == 0, done.stderr
    page = (launched / done.stdout.strip()).read_text("utf-8")
    assert len(re.findall(r'<figure id="figure-\d+"', page)) == 2 * (1 + 2)  # both rows: theta 1 once, theta 0.8 under two draws
    assert len(re.findall(r"<h2>", page)) == 2
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", page)
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page)
    assert captions == ["theta 1", "theta 0.8, draw 1", "theta 0.8, draw 2"] * 2


def test_a_sweep_without_surfaces_and_mistakes_are_one_line(launched: Path, tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    paths = Paths.resolve(home=launched / "sweeps", store=None)
    (launched / "file").touch()
    for sweep, folder, epsilon, message in (
        ("tiny", tmp_path, "8 of 255", r"^--epsilon 8 of 255: must be a number or a fraction"),
        ("tinny", tmp_path, "8/255", r"^sweep 'tinny': one of tiny$"),
        ("tiny", launched / "file", "8/255", r"^--out .*/file: "),
    ):
        with pytest.raises(UserError, match=message):
            surface_page.write_surface_page(paths, sweep, folder=folder, epsilon=epsilon)
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=True) as store:
        record_sweep(store, name="bare", space_text="", jobs=[pretrain_job()])
    with pytest.raises(UserError, match=r"^sweep 'bare': has no loss surfaces yet; a space's section surfaces asks for them$"):
        surface_page.write_surface_page(Paths.resolve(home=tmp_path, store=None), "bare", folder=tmp_path, epsilon="8/255")


def recorded(tmp_path: Path, jobs: Sequence[Job]) -> list[SurfaceRow]:
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=True) as store:
        record_sweep(store, name="x", space_text="", jobs=jobs)
        for job in jobs:
            record_result(store, job, result_of(job), attempt_id=None)
        return surface_rows(store, "x")


def flat(row: SurfaceRow, directions: Sequence[Sequence[float]] = ((1.0, 0.0), (0.0, 1.0))) -> SurfaceGrid:
    zeros = np.zeros((row.draws, 5, 5))
    return SurfaceGrid(
        row=row,
        losses=zeros.astype(np.float32),
        predictions=zeros.astype(np.uint8),
        coordinates=np.linspace(-0.5, 0.5, 5),
        directions=np.array(directions, dtype=np.float32),
        example=np.zeros(2, dtype=np.float32),
    )


@pytest.fixture
def row(tmp_path: Path) -> SurfaceRow:
    full = pretrain_job()
    (found,) = recorded(tmp_path, [full, surface_job(full, source=full)])
    return found


def test_thetas_of_one_direction_are_side_by_side_and_theta_one_is_in_both(tmp_path: Path) -> None:
    full, other = pretrain_job(), pretrain_job(seed=1)
    nets = [fine_tune_job(full, theta=theta) for theta in (0.9, 0.8)]
    surfaces = [surface_job(full, source=full), *(surface_job(net, source=full) for net in nets), *(surface_job(net) for net in nets)]
    alone = surface_job(other, source=other)
    rows = recorded(tmp_path, [full, other, *nets, *surfaces, alone])
    found = [[(grid.row.theta, grid.row.direction, grid.row.seed) for grid in family] for family in families([flat(row) for row in rows])]
    assert found == [
        [(1.0, "theta_one", 0), (0.9, "theta_one", 0), (0.8, "theta_one", 0)],
        [(1.0, "theta_one", 0), (0.9, "own", 0), (0.8, "own", 0)],
        [(1.0, "theta_one", 1)],
    ]


def test_nets_of_unlike_training_have_families_of_their_own_that_name_it(row: SurfaceRow) -> None:
    rows = [replace(row, training={**row.training, "learning_rate": rate}, model_key=f"{rate}") for rate in (0.01, 0.1)]
    rows += [
        replace(one, theta=0.9, fine_tuning=one.training, randomised=True, draws=2, model_key=f"{one.model_key} sketched") for one in rows
    ]
    found = families([flat(one) for one in rows])
    assert [[grid.row.theta for grid in family] for family in found] == [[1.0, 0.9]] * 2
    for rate, family in zip((0.01, 0.1), found, strict=True):
        assert f"learning_rate {rate}, seed 0" in surface_family(family[0].row, rows)
    assert [surface.label for surface in surface_draws(found[0])] == ["theta 1", "theta 0.9, draw 1", "theta 0.9, draw 2"]


def test_a_randomised_net_at_theta_one_is_in_the_family_of_its_direction_alone(row: SurfaceRow) -> None:
    shared = replace(row, defence="defensive_dropout", randomised=True)
    own = replace(shared, direction="own")
    assert [[grid.row.direction for grid in family] for family in families([flat(shared), flat(own)])] == [["theta_one"], ["own"]]


@pytest.mark.parametrize(("norm", "diagonal"), [("linf", 0.2 * 2**0.5), ("l2", 0.2)])
def test_the_ball_cuts_the_axes_at_epsilon_and_is_a_circle_under_l2_alone(row: SurfaceRow, norm: str, diagonal: float) -> None:
    ball = flat(replace(row, norm=norm)).ball(0.2, corners=8)
    radii = np.linalg.norm(ball, axis=1)
    assert radii == pytest.approx([0.2, diagonal] * 4 + [0.2])
    assert ball[0] == pytest.approx([0.2, 0])
    assert ball[2] == pytest.approx([0, 0.2])


def test_every_point_of_the_edge_is_epsilon_away_in_input_space(row: SurfaceRow) -> None:
    grid = flat(row, [(1.0, -0.5), (0.25, 1.0)])
    assert np.abs(grid.ball(0.125) @ grid.directions).max(axis=1) == pytest.approx(np.full(721, 0.125))
