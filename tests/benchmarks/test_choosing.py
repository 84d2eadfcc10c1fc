"""How far the figure that a winner was chosen by lies above the truth: chosen on held-out examples, against chosen on the test set."""

import statistics

import pytest

import robustsweep as rs
from orchestrator import open_results
from tests.benchmarks.conftest import Record

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]
SEARCHES, CANDIDATES, EXAMPLES = 10, 20, 100
NET = """
import robustsweep as rs
from torch import nn

@rs.model
def three_layers(info, *, width: int = 8):
    layers = [nn.Conv2d(info.shape[0], width, 4, 4), nn.ReLU(), nn.Conv2d(width, 2 * width, 2, 2), nn.ReLU(), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(2 * width * (info.shape[1] // 8) ** 2, info.n_classes))
"""
"""A net that learns the digits in a second, so that the candidates are far from chance."""
SPACE = {
    "name": "candidates",
    "seed": list(range(SEARCHES * CANDIDATES)),
    "data": {"name": "digits", "train_examples": 300, "validation_examples": EXAMPLES},
    "model": {"name": "three_layers", "tensorized": False},
    "training": {"epochs": 20, "batch_size": 50, "learning_rate": 0.05},
    "evaluation": {"examples": EXAMPLES, "batch_size": EXAMPLES},
    "attacks": [{"attack": "fgsm", "epsilon": "4/255"}],
}


@pytest.fixture(scope="module")
def searches(tmp_path_factory: pytest.TempPathFactory) -> list[list[tuple[float, float]]]:
    """Ten searches of twenty candidates that differ in their seeds alone: the robust accuracy of each, validation and test, in points."""
    home = tmp_path_factory.mktemp("choosing")
    net = home / "net.py"
    net.write_text(NET)
    rs.launch({**SPACE, "plugins": [str(net)]}, home=home, executor="inline")
    with open_results(home) as results:
        found = results.frame("candidates").pivot_table(index="seed", columns="split", values="robust_accuracy")
    pairs = [(100 * row.validation, 100 * row.test) for row in found.sort_index().itertuples()]
    assert len(pairs) == SEARCHES * CANDIDATES
    return [pairs[first : first + CANDIDATES] for first in range(0, len(pairs), CANDIDATES)]


def test_the_optimism_of_a_winner(searches: list[list[tuple[float, float]]], record: Record) -> None:
    """The other split is fresh to each choice: what a winner lacks on it, beyond what all candidates do (splits are not equally hard), is
    the optimism of the figure that it was chosen by. Who chooses on validation reports the test figure, in which there is none; who chooses
    on test reports the figure itself."""
    on_validation = [max(candidates) for candidates in searches]
    on_test = [max(candidates, key=lambda pair: pair[1]) for candidates in searches]
    easier = statistics.mean(validation - test for candidates in searches for validation, test in candidates)
    optimism = [validation - test - easier for validation, test in on_validation]
    reported = [test - validation + easier for validation, test in on_test]
    print("\nsearch  chosen on validation: validation, test   chosen on test: test, fresh")
    for number, ((validation, test), (fresh, seen)) in enumerate(zip(on_validation, on_test, strict=True)):
        print(f"{number:6}  {validation:32.1f}  {test:4.1f}   {seen:20.1f}  {fresh:5.1f}")
    reference = (
        f"points by which a figure chosen on test is above fresh examples; {SEARCHES} searches of {CANDIDATES} candidates, {EXAMPLES}"
        f" examples, validation {easier:+.1f} points easier; validation minus test of winners chosen on validation, beyond that:"
        f" {statistics.mean(optimism):.1f}, of which nothing is reported"
    )
    record("optimism of winners chosen on the test set", statistics.mean(reported), asked="reported", reference=reference)
    assert min(statistics.mean(optimism), statistics.mean(reported)) > 0, "the best of many is lucky too"
