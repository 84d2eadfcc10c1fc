"""Verdicts on the zoo: no masked net is called sound, and no honest one unsound. Every net goes a user's way: plugin, space, launch."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.commands import robustsweep

SPACE = """
plugins: [components.py]
data: {{name: scans}}
model: {{name: plain, tensorized: false}}
training: {{epochs: 12, batch_size: 64, learning_rate: 0.1}}
evaluation: {{examples: 100, batch_size: 50}}
diagnosis: {{epsilon: 0.2, eot_samples: 5, selection_draws: 2, draws: 5}}
variants:
{variants}
"""
ADVERSARIAL = "adversarial_training: pgd, adversarial_epsilon: [0.1, 0.2]"
# By name: the variant of the space above, without its braces.
MASKED = {
    "smooth staircase": "model: {name: fronted, front: staircase}",
    "gradient turned in two pixels of three": "model: {name: fronted, front: partly_turned}",
    "coarse smooth staircase": "model: {name: fronted, front: coarse_staircase}",
    "rounded inputs": "model: {name: fronted, front: quantised}",
    "ripples": "model: {name: fronted, front: ripples}",
    "no gradient in three pixels of four": "model: {name: fronted, front: partly_detached}",
    "JPEG": "model: {name: fronted, front: jpeg}",
    "thermometer code": "model: {name: fronted, front: thermometer}",
    "logits times 10,000": "model: {name: backed, back: scaled}",
    "softmax at temperature 1/60": "model: {name: backed, back: sharp}",
    "clipped logits": "model: {name: backed, back: clipped}",
    "only the winner's logit": "model: {name: backed, back: winner_only}",
    "logarithmic barrier": "model: {name: backed, back: barrier}",
    "another net's gradient": "model: {name: decoy}",
    "ensemble switched by a hash": "model: {name: switched}",
    "ensemble of which one net lets gradients through": "model: {name: one_open}",
    "k winners take all": "model: {name: winners}",
}
# What hides nothing, however it looks: attackers by gradients find what there is. Noise, shifts and dropout alone mask nothing.
HONEST = {
    "undefended": "",
    "input noise": "defence: {name: input_noise}",
    "random shift": "defence: {name: random_shift}",
    "dropout at test time": "defence: {name: defensive_dropout, dropout: 0.7}",
    "PGD-trained": f"training: {{{ADVERSARIAL}, adversarial_steps: [4, 7]}}",
    "TRADES": "training: {loss: trades, adversarial_training: pgd, adversarial_epsilon: [0.2, 0.2], adversarial_steps: [5, 5]}",
    "Gaussian noise": "training: {loss: noisy}",
    "inaccurate": "training: {epochs: 2, learning_rate: 0.01}",
    "narrow": "model: {width: 2}",
    "waveforms": "data: {name: scanned_waves}, model: {name: waves}",
    "tensorized": "model: {tensorized: true, rank_fraction: 1.0}",
    "theta 0.9": "model: {tensorized: true, rank_fraction: 1.0, theta: 0.9}, fine_tuning: {epochs: 8, learning_rate: 0.05}",
}
QUICKEST = ("smooth staircase", "undefended")


def judged(folder: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Launch the nets, each a sweep of its own, and return their verdicts by name."""
    shutil.copy(Path(__file__).with_name("components.py"), folder)
    return {name: _judged(folder, f"net{number}", (MASKED | HONEST)[name]) for number, name in enumerate(names)}


def _judged(folder: Path, sweep: str, variant: str) -> dict[str, Any]:
    (folder / f"{sweep}.yaml").write_text(SPACE.format(variants=f"  - {{{variant}}}"))
    launched = robustsweep("launch", f"{sweep}.yaml", "--executor", "inline", cwd=folder)
    assert launched.returncode == 0, launched.stdout + launched.stderr
    (found,) = json.loads(robustsweep("verdicts", sweep, "-f", "json", cwd=folder).stdout)
    return dict(found)


def table(found: dict[str, dict[str, Any]]) -> str:
    return "\n".join(f"{item['verdict']:10} {name}: {_doubts(item)}" for name, item in found.items())


def _doubts(item: dict[str, Any]) -> str:
    return "; ".join(f"{check['name']} {check['outcome']}: {check['reason']}" for check in item["checks"] if check["outcome"] != "passed")


def check(found: dict[str, dict[str, Any]]) -> None:
    """No masked net is sound, no honest one unsound; and doubt about a masked one comes from what was found, not from what was not made."""
    wrong = {name: item for name, item in found.items() if item["verdict"] == ("sound" if name in MASKED else "unsound")}
    assert not wrong, table(wrong)
    for name, item in found.items():
        assert all(check["outcome"] != "not made" for check in item["checks"]), (name, _doubts(item))


@pytest.mark.slow  # by default the checks are tested on evidence, and one network is judged in tests/orchestrator/statistics/verdict
def test_an_undefended_net_is_sound_for_its_weakness_is_shown_and_unsound_where_a_smooth_staircase_hides_it(tmp_path: Path) -> None:
    found = judged(tmp_path, QUICKEST)
    check(found)
    assert [found[name]["verdict"] for name in QUICKEST] == ["unsound", "sound"], table(found)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_no_masked_net_is_sound_and_no_honest_one_unsound(tmp_path: Path) -> None:
    found = judged(tmp_path, [*MASKED, *HONEST])
    print(table(found))
    check(found)
