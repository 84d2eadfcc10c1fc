"""Small bundles: a linear network, on which one attack was run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn

from orchestrator.api.in_memory import register_network
from orchestrator.audit.bundle.archive import archived, read_archive
from orchestrator.audit.bundle.contents import (
    EXAMPLES,
    FORMAT_VERSION,
    MODEL,
    BundledAttack,
    Claim,
    Contents,
    Weights,
    clean_interval,
    robust_interval,
)
from tests.builders import ENVIRONMENT, attack_settings
from workers.artifacts.outcomes import FlagsOutcome
from workers.components.facts import DatasetInfo
from workers.models.network import build
from workers.spec.component import STORED, DataSpec
from workers.spec.model import ModelSpec
from workers.spec.stage_specs import AttackSpec, EvaluationSpec, TrainSpec
from workers.spec.training import TrainingSpec
from workers.weights.digest import of_body

N, CLASSES, EPSILON = 40, 4, 8 / 255
ATTACK = "attack-1-fgsm.safetensors"
INFO = DatasetInfo(CLASSES, (3, 4, 4), (0.0,) * 3, (1.0,) * 3)
Files = dict[str, bytes]


class Linear(nn.Module):
    """A linear network; with `noise` its logits are different in each pass."""

    def __init__(self, *, noise: float = 0.0) -> None:
        super().__init__()
        self.layer, self.noise = nn.Linear(48, CLASSES), noise
        self.layer.bias.data = -0.5 * self.layer.weight.data.sum(dim=1)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.layer(inputs.flatten(1))
        return logits + self.noise * torch.randn_like(logits)


def linear(name: str, *, noise: float = 0.0, seed: int = 1) -> Linear:
    """A network that is registered under the name."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = Linear(noise=noise).eval()
    register_network(name, net, randomised=noise > 0, image=True)
    return net


def stored(net: nn.Module, name: str) -> bytes:
    """The network's weights, as the artifact of a model has them."""
    network = build(ModelSpec(name=name, tensorized=False), INFO, seed=0)
    network.body.load_state_dict(net.state_dict())
    return save(network.state_dict())


def bundle(path: Path, name: str = "linear_of_tests", *, noise: float = 0.0, draws: int = 1) -> Path:
    """Write a bundle of a true claim."""
    net = linear(name, noise=noise)
    clean = 0.2 + 0.6 * torch.rand((N, 3, 4, 4), generator=torch.Generator().manual_seed(2))
    labels = net.layer(clean.flatten(1)).argmax(dim=1)
    labels[:3] = (labels[:3] + 1) % CLASSES
    leaf = clean.clone().requires_grad_()
    nn.functional.cross_entropy(net.layer(leaf.flatten(1)), labels).backward()
    assert leaf.grad is not None
    adversarial = clean + EPSILON * leaf.grad.sign()
    flags = [np.stack([(net(points).argmax(dim=1) == labels).numpy() for _ in range(draws)]) for points in (clean, adversarial)]
    places = torch.arange(N)
    files = {
        EXAMPLES: save({"clean": clean, "labels": labels}),
        ATTACK: save({"adversarial": adversarial, "places": places}),
        MODEL: stored(net, name),
    }
    path.write_bytes(archived(_contents(name, flags, files, randomised=noise > 0).model_dump(mode="json"), files))
    return path


def _contents(name: str, flags: list[NDArray[np.bool_]], files: Files, *, randomised: bool) -> Contents:
    evaluation = EvaluationSpec(examples=N, batch_size=N, draws=len(flags[0]))
    spec = AttackSpec(attack=attack_settings(), knowledge="randomized", evaluation=evaluation, repeat=0)
    clean, attacked = (FlagsOutcome.pack(found) for found in flags)
    attack = BundledAttack(key="a" * 64, spec=spec, outcome=attacked, file=ATTACK)
    model = ModelSpec(name=name, tensorized=False)
    return Contents(
        format_version=FORMAT_VERSION,
        robustsweep="0",
        claim=claim([clean], [attack], randomised=randomised),
        model=TrainSpec(stage="adopt", data=DataSpec(name="digits"), model=model, training=TrainingSpec(epochs=0)),
        randomised=randomised,
        data_info=INFO,
        code={},
        weights=Weights(body=of_body(files[MODEL])),
        order="balanced",
        clean=[clean],
        attacks=[attack],
        environments=[ENVIRONMENT],
        files={},
    )


def claim(clean: list[FlagsOutcome], attacks: list[BundledAttack], *, randomised: bool) -> Claim:
    robust, low, high = robust_interval(attacks, batch=N, randomised=randomised)
    accuracies = {"clean_accuracy": clean_interval(clean, batch=N)[0], "robust_accuracy": robust, "ci_low": low, "ci_high": high}
    return Claim(norm="linf", epsilon=EPSILON, epsilon_literal="8/255", n_examples=N, **accuracies)


def retold(path: Path, change: Callable[[dict[str, Any], Files], None]) -> Path:
    """Write the bundle again after a change of its contents and files, with checksums that fit."""
    archive = read_archive(path)
    contents, files = dict(archive.contents), dict(archive.files)
    change(contents, files)
    path.write_bytes(archived(contents, files))
    return path


def retell(contents: dict[str, Any]) -> None:
    """Make the claim follow from the outcomes."""
    found = Contents.model_validate_json(json.dumps(contents), context=STORED)
    contents["claim"] = claim(found.clean, found.attacks, randomised=found.randomised).model_dump(mode="json")


def with_outcome(contents: dict[str, Any], flags: NDArray[np.bool_]) -> None:
    """Replace the outcome of the attack, (draws, N), and make the claim follow."""
    contents["attacks"][0]["outcome"] = FlagsOutcome.pack(flags).model_dump(mode="json")
    retell(contents)


def outcome(contents: dict[str, Any]) -> NDArray[np.bool_]:
    """The outcome of the attack, (draws, N)."""
    return FlagsOutcome.model_validate(contents["attacks"][0]["outcome"]).correct()
