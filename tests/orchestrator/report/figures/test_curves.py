import pytest

from orchestrator.report.figures import accuracy_curves, pareto_fronts
from orchestrator.report.figures.curves import MOST_BANDS, MOST_LINES
from orchestrator.report.figures.theme import PALETTE, ordered_colours
from tests.orchestrator.conftest import MakeRow


def test_a_line_holds_one_model_from_its_clean_accuracy_on(make_row: MakeRow) -> None:
    rows = [make_row("a", theta=1.0, eighths=8, robust=0.4), make_row("a", theta=1.0, eighths=2, robust=0.7)]
    (picture,) = accuracy_curves(rows).values()
    assert [(point["epsilon"], point["accuracy %"], point["95% low"], point["95% high"]) for point in picture.table] == [
        ("0", 90, 85, 95),
        ("2/255", 70, 65, 75),
        ("8/255", 40, 35, 45),
    ]
    band, line = picture.figure.data
    assert list(line.y) == [90, 70, 40]
    assert list(line.x) == [0, 1, 3]  # 8/255 is two doublings from 2/255
    assert list(band.y) == [95, 75, 45, 35, 65, 85]
    assert list(picture.figure.layout.xaxis.ticktext) == ["clean", "2/255", "8/255"]


def test_attacks_and_knowledge_are_never_in_one_figure(make_row: MakeRow) -> None:
    kinds = [("fgsm", "randomized"), ("pgd", "randomized"), ("pgd", "omniscient"), ("pgd", "eot")]
    pictures = accuracy_curves([make_row("a", attack=attack, knowledge=knowledge) for attack, knowledge in kinds])
    assert list(pictures) == ["fgsm, randomized", "pgd, randomized", "pgd, omniscient", "pgd, eot"]


@pytest.mark.parametrize(
    "settings", [{"loss": "dlr"}, {"restarts": 5}, {"steps": 50}, {"norm": "l2"}, {"target": "next"}, {"n_examples": 8}]
)
def test_what_one_model_has_under_different_settings_is_never_one_line(make_row: MakeRow, settings: dict[str, object]) -> None:
    pictures = accuracy_curves([make_row("a", attack="pgd"), make_row("a", attack="pgd", **settings)])
    assert len(pictures) == 2
    assert all(len(picture.table) == 2 for picture in pictures.values())


def test_steps_that_go_along_with_epsilon_stay_in_one_line(make_row: MakeRow) -> None:
    (picture,) = accuracy_curves(
        [make_row("a", attack="pgd", eighths=2, steps=2), make_row("a", attack="pgd", eighths=8, steps=10)]
    ).values()
    assert len(picture.table) == 3


def test_settings_that_only_go_along_with_the_model_do_not_part_models(make_row: MakeRow) -> None:
    """Selection draws are 1 on a net without randomness, whatever the space says."""
    rows = [make_row("a", theta=1.0, selection_draws=1), make_row("b", theta=0.9, selection_draws=8)]
    (picture,) = accuracy_curves(rows).values()
    assert {point["model"] for point in picture.table} == {"theta 1", "theta 0.9"}


def test_models_of_one_theta_differ_in_name_dash_and_symbol_and_share_its_colour(make_row: MakeRow) -> None:
    rows = [make_row("a", theta=0.9, rank_fraction=0.5), make_row("b", theta=0.9, rank_fraction=1.0), make_row("c", theta=1.0)]
    (picture,) = accuracy_curves(rows).values()
    lines = {line.name: line for line in picture.figure.data if line.fill is None}
    first, second = lines["rank 0.5, theta 0.9"], lines["rank 1, theta 0.9"]
    assert first.line.color == second.line.color
    assert (first.line.dash, first.marker.symbol) != (second.line.dash, second.marker.symbol)
    assert len({line.line.color for line in lines.values()}) == 2


def test_hover_texts_say_every_setting_and_what_models_share_only_once(make_row: MakeRow) -> None:
    rows = [make_row(key, theta=theta, seed=3, attack="pgd", steps=1) for key, theta in (("a", 1.0), ("b", 0.9))]
    (picture,) = accuracy_curves(rows).values()
    line = picture.figure.data[1]
    said = line.hovertemplate + line.text[1]
    for words in ("dataset digits", "width 4", "theta 1", "seed 3", "attack pgd", "knowledge randomized", "steps 1", "examples 16"):
        assert said.count(words) == 1, words


@pytest.mark.parametrize("count", [MOST_BANDS, MOST_BANDS + 1, MOST_LINES + 1])
def test_many_models_lose_their_bands_and_then_their_own_traces_but_never_their_points(make_row: MakeRow, count: int) -> None:
    rows = [make_row(f"{place:04}", theta=1.0 if place % 2 else 0.9, seed=place, eighths=e) for place in range(count) for e in (2, 8)]
    (picture,) = accuracy_curves(rows).values()
    assert len(picture.table) == 3 * count
    assert sum(trace.fill == "toself" for trace in picture.figure.data) == (count if count <= MOST_BANDS else 0)
    lines = [trace for trace in picture.figure.data if trace.fill is None]
    assert len(lines) == (count if count <= MOST_LINES else 2 + 6)  # a faint trace for each theta, and the six best by name
    assert sum(value is not None for line in lines for value in line.y) == 3 * count


def test_of_many_models_the_best_and_the_chosen_are_named_and_the_rest_faint(make_row: MakeRow) -> None:
    rows = [make_row(f"{place:04}", theta=0.5 + place / 200, robust=place / 100) for place in range(100)]
    (picture,) = accuracy_curves(rows, chosen=["0003"]).values()
    named = {line.name for line in picture.figure.data if "markers" in line.mode}
    assert named == {"theta 0.515", "theta 0.97", "theta 0.975", "theta 0.98", "theta 0.985", "theta 0.99", "theta 0.995"}
    faint = [line for line in picture.figure.data if line.mode == "lines"]
    assert faint[0].name == "theta 0.5 to 0.58"
    assert len({line.line.color for line in faint}) == len(faint) == 6
    assert all(line.line.color.endswith("0.3)") for line in faint)


def test_the_eight_models_of_three_axes_look_unlike_and_are_named_by_what_varies(make_row: MakeRow) -> None:
    """The first axis by colour, an ordered scale; the second by dash; the third by symbol; keys in tooltip and table alone."""
    grid = [(rate, size, decay) for rate in (0.01, 0.1) for size in (32, 64) for decay in (0.0, 0.001)]
    names = ("learning_rate", "batch_size", "weight_decay")
    rows = [
        make_row(f"{place}" * 64, training=dict(zip(names, setting, strict=True)), fine_tuning=None) for place, setting in enumerate(grid)
    ]
    (picture,) = accuracy_curves(rows).values()
    lines = [line for line in picture.figure.data if line.fill is None]
    looks = {(line.line.color, line.line.dash, line.marker.symbol) for line in lines}
    assert [len(looks), *(len({look[place] for look in looks}) for place in range(3))] == [8, 2, 2, 2]
    assert lines[0].name == "learning_rate 0.01, batch_size 32, weight_decay 0"
    assert not any("key" in line.name for line in lines)
    assert [f"model key {place}" in line.text[1] for place, line in enumerate(lines)] == [True] * 8
    assert picture.table[0]["learning_rate"] == 0.01
    assert picture.table[0]["model key"] == "00000000"
    (points,) = pareto_fronts(rows).values()
    marks = {(trace.marker.color, trace.marker.symbol) for trace in points.figure.data if trace.mode == "markers"}
    assert len(marks) == 8


def test_an_axis_of_words_has_colours_of_its_own_and_an_ordered_one_a_scale(make_row: MakeRow) -> None:
    by_words = accuracy_curves([make_row(name, defence=name) for name in ("none", "feature_squeezing", "random_resize_pad")])
    by_numbers = accuracy_curves([make_row(f"{theta}", theta=theta) for theta in (0.9, 0.8, 1.0)])
    ordered = dict(zip((0.8, 0.9, 1.0), ordered_colours(3), strict=True))
    (words,), (numbers,) = by_words.values(), by_numbers.values()
    assert {line.line.color for line in words.figure.data if line.fill is None} == set(PALETTE[:3])
    assert [line.line.color for line in numbers.figure.data if line.fill is None] == [ordered[theta] for theta in (0.9, 0.8, 1.0)]


def test_names_with_markup_are_shown_letter_by_letter(make_row: MakeRow) -> None:
    hostile = '<a href="javascript:alert(1)">%{x}</a>'
    (picture,) = accuracy_curves([make_row("a", dataset=hostile), make_row("b", dataset="digits")]).values()
    text = picture.figure.to_json()
    assert "<a" not in text.replace("\\u003c", "<")
    assert any(hostile in str(point["model"]) for point in picture.table)


def test_no_rows_and_rows_without_attack_make_no_figure(make_row: MakeRow) -> None:
    assert accuracy_curves([]) == {}
    assert accuracy_curves([make_row("a", attack="none", knowledge="none", robust_accuracy=None, ci_low=None, ci_high=None)]) == {}
