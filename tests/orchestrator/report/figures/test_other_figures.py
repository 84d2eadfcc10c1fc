from dataclasses import replace

import numpy as np
import pytest

from orchestrator.report.figures import SurfacePlot, example_difficulty, loss_surfaces, training_curves
from orchestrator.report.figures.theme import GROUNDS, PALETTE, ordered_colours
from orchestrator.report.figures.training_curves import MOST_POINTS
from orchestrator.store.reading.report_evidence import ExampleScores, TrainingRun


def run(key: str, *, theta: float = 1.0, epochs: int = 3, seed: int = 0) -> TrainingRun:
    history = tuple({"epoch": 1 + e, "loss": 2 / (1 + e), "accuracy": e / epochs, "learning_rate": 0.1} for e in range(epochs))
    return TrainingRun(
        sweep="s",
        model_key=key,
        stage="pretrain",
        dataset="digits",
        model="resnet18",
        model_settings={"width": 4},
        theta=theta,
        rank_fraction=1.0,
        adversarial_training="none",
        defence="none",
        seed=seed,
        history=history,
        seconds=1.0,
        settings={"model.theta": theta, "seed": seed},
    )


def test_training_curves_have_a_line_a_model_and_a_point_an_epoch() -> None:
    pictures = training_curves([run("a"), run("b", theta=0.9)])
    assert list(pictures) == ["loss", "accuracy %"]
    first, second = pictures["loss"].figure.data
    assert (first.name, second.name) == ("pretrain theta 1", "pretrain theta 0.9")
    assert list(first.x) == [1, 2, 3]
    assert list(first.y) == [point["loss"] for point in pictures["loss"].table if point["model"] == "pretrain theta 1"]
    assert list(pictures["accuracy %"].figure.data[0].y) == [0, 33.333, 66.667]


def test_what_adversarial_training_fits_is_drawn_against_what_it_learns() -> None:
    learned = run("a", theta=0.9)
    held_out = [{"validation_accuracy": 0.6, "validation_pgd_accuracy": share} for share in (0.3, 0.4, 0.2)]
    measured = tuple({**epoch, **found} for epoch, found in zip(learned.history, held_out, strict=True))
    pictures = training_curves([replace(learned, history=measured), run("b")])
    assert list(pictures) == ["loss", "accuracy %", "validation %", "validation pgd %", "robust overfitting %"]
    lines = pictures["robust overfitting %"].figure.data
    assert [line.name for line in lines] == [
        f"pretrain theta 0.9, {what}" for what in ("training, attacked", "held out, under PGD", "held out, clean")
    ]
    assert [list(line.y) for line in lines] == [[0, 33.333, 66.667], [30, 40, 20], [60, 60, 60]]


def test_too_many_epochs_are_thinned_evenly_and_keep_both_ends() -> None:
    runs = [run(f"{place}", epochs=1000, seed=place) for place in range(50)]
    picture = training_curves(runs)["loss"]
    assert len(picture.table) <= MOST_POINTS + 50
    epochs = [point["epoch"] for point in picture.table if point["model"] == "pretrain seed 7"]
    assert (epochs[0], epochs[1], epochs[-1]) == (1, 4, 1000)
    assert "One epoch in 3" in picture.caption


def test_runs_that_nothing_tells_apart_are_told_apart_by_their_keys() -> None:
    names = {point["model"] for point in training_curves([run("a" * 64), run("b" * 64)])["loss"].table}
    assert names == {"pretrain theta 1, model key aaaaaaaa", "pretrain theta 1, model key bbbbbbbb"}


def scores(knowledge: str, right: list[int], evaluations: int) -> ExampleScores:
    return ExampleScores(
        dataset="digits", n_examples=len(right), order="balanced", knowledge=knowledge, right=np.array(right), evaluations=evaluations
    )


def test_difficulty_has_the_hardest_examples_first_and_clean_apart_from_attacked() -> None:
    pictures = example_difficulty([scores("none", [2, 2, 1, 2], 2), scores("eot", [1, 0, 4, 3], 4)])
    by_share, histogram = pictures.values()
    assert [row["example"] for row in by_share.table] == [1, 0, 3, 2]
    assert by_share.table[3] == {"example": 2, "clean: right %": 50, "eot: right %": 100}
    clean, attacked = by_share.figure.data
    assert list(clean.y) == [50, 100, 100, 100]
    assert list(attacked.y) == [0, 25, 75, 100]
    assert "Hardest under attack: examples 1, 0, 3, 2." in by_share.caption
    counts = [row["eot: examples"] for row in histogram.table]
    assert sum(counts) == 4
    assert [counts[place] for place in (0, 5, 15, 19)] == [1, 1, 1, 1]


def test_loss_surfaces_share_colours_and_show_the_mean_over_draws() -> None:
    axis = np.array([-0.5, 0.0, 0.5])
    low, high = np.zeros((2, 3, 3)), np.zeros((2, 3, 3))
    high[1, 0, 2] = 4.0
    pictures = loss_surfaces([SurfacePlot(label="theta 1", losses=low, axis=axis), SurfacePlot(label="theta 0.9", losses=high, axis=axis)])
    figure = pictures["theta 0.9"].figure
    assert figure.data[0].z[0][2] == 2.0
    assert {picture.figure.layout.coloraxis.cmax for picture in pictures.values()} == {2.0}
    assert figure.layout.shapes[0].x1 == pytest.approx(32 / 255)
    assert pictures["theta 0.9"].table[2]["mean loss"] == 2.0


def test_a_loss_surface_shows_where_the_true_class_ends_and_the_ball_of_the_circles_radius() -> None:
    axis = np.array([-0.5, 0.0, 0.5])
    right = np.array([[[True, True, False]] * 3, [[True, False, False]] * 3])
    ball = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    (picture,) = loss_surfaces(
        [SurfacePlot(label="theta 0.9", losses=np.ones((2, 3, 3)), axis=axis, right=right, ball=ball)], radius=0.25
    ).values()
    border, edge = picture.figure.data[1:3]
    assert (border.contours.start, border.contours.end, list(border.z[0])) == (0.5, 0.5, [1.0, 0.5, 0.0])
    assert (list(edge.x), list(edge.y)) == ([0.25, 0.0, 0.25], [0.0, 0.25, 0.0])
    assert [point["right %"] for point in picture.table[:3]] == [100, 50, 0]
    assert "dotted" in picture.caption
    assert "black" in picture.caption


def test_a_surface_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3, 4\) over an axis of 3"):
        loss_surfaces([SurfacePlot(label="theta 1", losses=np.zeros((2, 3, 4)), axis=np.zeros(3))])


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2."""
    shares = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colour", [*PALETTE, *ordered_colours(9)])
@pytest.mark.parametrize("ground", list(GROUNDS.values()))
def test_every_colour_is_seen_on_the_light_and_on_the_dark_ground(colour: str, ground: str) -> None:
    lighter, darker = sorted((luminance(colour), luminance(ground)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 3
