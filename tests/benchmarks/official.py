"""The official AutoAttack against ours: small nets trained on CIFAR-10, both implementations on the same examples, one thread, in turn.

Needs the official package `autoattack` where Python finds it; `python -m tests.benchmarks.official DATA` prints the tables.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import robustsweep as rs
from workers.artifacts.artifacts import Artifacts
from workers.data.loading import source
from workers.data.loading.device_split import DeviceSplit
from workers.measure.evaluate import attacker, correct_flags
from workers.models.network import Network, build
from workers.registry import DATASETS, MODELS
from workers.spec.attack import AttackSettings, parts, settled
from workers.spec.component import DataSpec
from workers.spec.model import ModelSpec
from workers.spec.training import TrainingSpec
from workers.train import Checkpoint, train

CPU = torch.device("cpu")
BATCH = 250
OFFICIAL = {"apgd_ce": "apgd-ce", "apgd_t": "apgd-t", "fab_t": "fab-t", "square": "square", "apgd_dlr": "apgd-dlr"}
"""Attacks by our name and by theirs."""


class _Stairs(nn.Module):
    """Smooth stairs, which are off in training: between two ramps the gradient all but vanishes."""

    def forward(self, inputs: Tensor) -> Tensor:
        scaled = inputs * 16
        floor = scaled.floor()
        return inputs if self.training else (floor + torch.sigmoid(60 * (scaled - floor - 0.5))) / 16


def strided(info: rs.DatasetInfo, *, width: int = 8, masked: bool = False) -> nn.Module:
    """Three strided convolutions and a linear layer, behind stairs where `masked`."""
    return nn.Sequential(
        *([_Stairs()] if masked else []),
        nn.Conv2d(3, width, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * width, info.n_classes),
    )


@dataclass(frozen=True)
class Subject:
    """A net to attack: its model, its training, and the epsilon (over 255) at which attacks leave something to compare."""

    model: dict[str, Any]
    epsilon: int
    training: dict[str, Any] = field(default_factory=dict)


DENSE = {"name": "benchmark_strided", "tensorized": False}
SUBJECTS = {
    "undefended": Subject(DENSE, 2),
    "PGD-trained": Subject(
        DENSE,
        8,
        {"adversarial_training": "pgd", "adversarial_epsilon": ("8/255", "8/255"), "adversarial_steps": (4, 4)},
    ),
    "masked by stairs": Subject(DENSE | {"settings": {"masked": True}}, 4),
    "tensorized, theta 1": Subject({"name": "benchmark_strided", "rank_fraction": 0.5}, 2),
}


def trained(subject: Subject, data_root: Path, *, epochs: int = 8, examples: int = 1000) -> tuple[Network, DeviceSplit]:
    """Return the subject, trained and frozen, and CIFAR-10's test examples in the official order."""
    if "benchmark_strided" not in MODELS.names():  # here: at import it would be there for all tests that are collected with this file
        rs.model(modality="image", name="benchmark_strided")(strided)
    dataset = source(DataSpec(name="cifar10")).load(data_root)
    net = build(ModelSpec.model_validate(subject.model), DATASETS["cifar10"].facts.info, seed=1)
    settings = TrainingSpec.model_validate({"epochs": epochs, "horizontal_flip": True, "learning_rate": 0.05, **subject.training})
    net.seed(1)
    attack = torch.Generator().manual_seed(2) if settings.adversarial_training != "none" else None
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Checkpoint(Artifacts(Path(folder)).folder("job"))
        order = torch.Generator().manual_seed(0)
        train(
            net,
            DeviceSplit.put(dataset.train, CPU, count=20_000),
            settings,
            order=order,
            checkpoint=checkpoint,
            report=[].append,
            attack=attack,
        )
    return net.eval().requires_grad_(False), DeviceSplit.put(dataset.test, CPU, count=examples, order="file")


@dataclass(frozen=True)
class Side:
    """What one implementation leaves right of the examples, flags (examples,), and the processor time that it took, in seconds."""

    flags: Tensor
    seconds: float

    @property
    def left(self) -> float:
        """Share of all examples."""
        return float(self.flags.double().mean())


def _suite(epsilon: float, version: str) -> AttackSettings:
    given = {"epsilon": epsilon, "epsilon_literal": f"{255 * epsilon:g}/255"}
    return _settings({"name": "autoattack", "settings": {"version": version}, **given})


def ours(net: Network, data: DeviceSplit, attacks: Sequence[AttackSettings], right: Tensor) -> Side:
    """Run attacks one after the other, each on the examples that still stand, as the jobs of a cascade do."""
    flags, begun = right.clone(), time.process_time()
    for part in attacks:
        chosen = flags.nonzero().squeeze(1)
        if len(chosen):
            perturb = attacker(net, part, generator=torch.Generator().manual_seed(0))
            standing = DeviceSplit(data.inputs[chosen], data.labels[chosen])
            flags[chosen] = torch.from_numpy(correct_flags(net, standing, batch_size=BATCH, perturb=perturb)[0])
    return Side(flags, time.process_time() - begun)


def official(net: Network, data: DeviceSplit, attacks: Sequence[AttackSettings], right: Tensor) -> Side:
    """Run the official implementation's attacks of those names."""
    import autoattack  # type: ignore[import-not-found, unused-ignore]

    chosen = right.nonzero().squeeze(1)
    inputs, labels = (values[chosen] for values in data.batch(slice(None)))
    begun = time.process_time()
    suite = autoattack.AutoAttack(net, norm="Linf", eps=attacks[0].epsilon, seed=0, verbose=False, version="standard", device="cpu")
    suite.attacks_to_run = [OFFICIAL[part.name] for part in attacks]
    found = suite.run_standard_evaluation(inputs, labels, bs=BATCH)
    flags = right.clone()
    flags[chosen] = predicted(net, found) == labels
    return Side(flags, time.process_time() - begun)


@torch.no_grad()
def predicted(net: Network, inputs: Tensor) -> Tensor:
    """Return the predicted classes, (examples,)."""
    return torch.cat([net(points).argmax(dim=1) for points in inputs.split(BATCH)])


@dataclass(frozen=True)
class Row:
    """One attack by both; alone, or on what those before it in the suite left."""

    name: str
    theirs: Side
    own: Side

    @property
    def points(self) -> float:
        """What ours leaves more, in points."""
        return 100 * (self.own.left - self.theirs.left)

    @property
    def line(self) -> str:
        """A line of a table."""
        return (
            f"{self.name:24} theirs {100 * self.theirs.left:5.1f} %  ours {100 * self.own.left:5.1f} %  {self.points:+5.2f}"
            f"  seconds {self.theirs.seconds:7.1f} {self.own.seconds:7.1f}  {self.own.seconds / self.theirs.seconds:.2f}"
        )


def compared(net: Network, data: DeviceSplit, epsilon: float, *, say: Callable[[str], None] = print) -> list[Row]:
    """Return each attack of the suite `standard` by both, on all examples that are right, and at last the whole suite."""
    inputs, labels = data.batch(slice(None))
    right = predicted(net, inputs) == labels
    say(f"clean {100 * float(right.double().mean()):.1f} %")
    rows, attacks = [], parts(_suite(epsilon, "standard"), early_stop=True)
    for name, some in [*((part.name, [part]) for part in attacks), ("standard", attacks)]:
        rows.append(Row(name, official(net, data, some, right), ours(net, data, some, right)))
        say(rows[-1].line)
    return rows


def randomised_comparison(data_root: Path, *, theta: float = 0.9, epsilon: float = 2 / 255, examples: int = 100) -> dict[str, float]:
    """Return the shares of the examples that attacks leave right on a net with a sketch, each scored on 40 fresh draws."""
    model = {"name": "benchmark_strided", "rank_fraction": 1.0, "theta": theta}
    net, data = trained(Subject(model, 2, {"learning_rate": 0.02}), data_root, examples=examples)
    inputs, labels = data.batch(slice(None))
    made = {"clean": inputs, "official rand": _official_rand(net, inputs, labels, epsilon)}
    given = {"epsilon": epsilon, "epsilon_literal": f"{255 * epsilon:g}/255"}
    apgd = {"name": "apgd_ce", "eot_samples": 20, "selection_draws": 4, **given}
    net.seed(2)
    made["APGD-CE, eot"] = attacker(net, _settings(apgd), generator=torch.Generator().manual_seed(0))(slice(0, examples), inputs, labels)
    pgd = {"name": "pgd", "settings": {"steps": 40, "abs_stepsize": epsilon / 10}, **given}
    with net.full_weights():
        omniscient = attacker(net, _settings(pgd), generator=torch.Generator().manual_seed(0))
        made["omniscient PGD"] = omniscient(slice(0, examples), inputs, labels)
    return {name: _on_fresh_draws(net, points, labels) for name, points in made.items()}


def _official_rand(net: Network, inputs: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    import autoattack  # type: ignore[import-not-found, unused-ignore]

    net.seed(1)
    suite = autoattack.AutoAttack(net, norm="Linf", eps=epsilon, seed=0, verbose=False, version="rand", device="cpu")
    points: Tensor = suite.run_standard_evaluation(inputs, labels, bs=BATCH)
    return points


@torch.no_grad()
def _on_fresh_draws(net: Network, points: Tensor, labels: Tensor) -> float:
    net.seed(3)
    return float(torch.stack([net(points).argmax(dim=1) == labels for _ in range(40)]).double().mean())


def _settings(values: dict[str, Any]) -> AttackSettings:
    return AttackSettings.model_validate({**values, **settled(AttackSettings.model_construct(**values))})


def main(data_root: str, *names: str) -> None:
    """Print the table of each net, or of those named; `rand` is the comparison on a randomised one."""
    torch.set_num_threads(1)
    for name in names or (*SUBJECTS, "rand"):
        if name == "rand":
            print({found: f"{100 * share:.1f} %" for found, share in randomised_comparison(Path(data_root)).items()}, flush=True)
            continue
        net, data = trained(SUBJECTS[name], Path(data_root))
        print(f"{name}, {SUBJECTS[name].epsilon}/255, {len(data)} examples", flush=True)
        compared(net, data, SUBJECTS[name].epsilon / 255, say=lambda line: print(line, flush=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
