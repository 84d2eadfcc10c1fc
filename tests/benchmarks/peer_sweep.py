"""The script that a user would write for a small table 1: Ray Tune over theta, layers and dropout of TensorLy-Torch, attacks of Foolbox.

Tuned as a good user would: the net without dropout is trained once and shared through Ray's object store, a trial fine-tunes it for its
theta and runs all attacks in the one process, each worker has one thread, workers are reused, and Tune writes no files for trials.

    python -m tests.benchmarks.peer_sweep SETTINGS.json RESULTS.json
"""

import json
import os
import secrets
import sys
import warnings
from pathlib import Path
from typing import Any

os.environ |= {"TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "RAY_AIR_NEW_OUTPUT": "0", "RAY_raylet_start_wait_time_s": "300"}
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # else Ray leaves one in the home folder

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from workers.data.loading import source
from workers.models.network import build
from workers.registry import DATASETS
from workers.spec.component import DataSpec
from workers.spec.model import ModelSpec

Settings = dict[str, Any]
INFO = DATASETS["digits"].facts.info


def network(settings: Settings, theta: float) -> nn.Module:
    """The same ResNet-18, every convolution but the first in Tucker form, with dropout of the core's components."""
    import tltorch
    from tltorch.tensor_hooks import tensor_dropout

    torch.manual_seed(0)
    net = build(ModelSpec(width=settings["width"], tensorized=False), INFO, seed=0)
    convolutions = [name for name, module in net.body.named_modules() if isinstance(module, nn.Conv2d)][1:]
    for name in convolutions:
        dense = net.body.get_submodule(name)
        assert isinstance(dense, nn.Conv2d)
        filters, channels, *spatial = dense.weight.shape
        ranks = (max(1, round(settings["rank"] * filters)), max(1, round(settings["rank"] * channels)), *spatial)
        layer = tltorch.FactorizedConv.from_conv(dense, rank=ranks, factorization="tucker", implementation="factorized")
        if theta < 1:
            tensor_dropout(layer.weight, p=1 - theta, min_dim=3, min_values=1)
        parent, _, child = name.rpartition(".")
        setattr(net.body.get_submodule(parent), child, layer)
    return net


def examples(part: str, count: int) -> tuple[Tensor, Tensor]:
    split = getattr(source(DataSpec(name="digits")).load(None), part).first(count)
    inputs = torch.from_numpy(split.inputs)
    return inputs if inputs.is_floating_point() else inputs.float() / 255, torch.from_numpy(split.labels)


def train(net: nn.Module, settings: Settings, *, epochs: int, rate: float) -> None:
    inputs, labels = examples("train", settings["train_examples"])
    size, order = settings["batch_size"], torch.Generator().manual_seed(0)
    optimizer = torch.optim.SGD(net.parameters(), lr=rate, momentum=0.9, nesterov=True)
    steps = epochs * (len(labels) // size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    net.train()
    for _ in range(epochs):
        for chosen in torch.randperm(len(labels), generator=order)[: len(labels) // size * size].split(size):
            optimizer.zero_grad()
            F.cross_entropy(net(inputs[chosen]), labels[chosen]).backward()
            optimizer.step()
            schedule.step()


def measured(net: nn.Module, settings: Settings) -> list[dict[str, Any]]:
    """Robust accuracy under each attack and epsilon in each repeat; dropout goes on while the net is measured."""
    import foolbox

    net.eval().requires_grad_(False)
    for module in net.modules():
        if type(module).__name__ == "TuckerTensor":
            module.train()
    model = foolbox.PyTorchModel(net, bounds=(0, 1), device="cpu")
    inputs, labels = examples("test", settings["examples"])
    rows = []
    for epsilon, steps in settings["epsilons"]:
        attacks = {
            "fgsm": foolbox.attacks.LinfFastGradientAttack(),
            "bim": foolbox.attacks.LinfBasicIterativeAttack(steps=steps, abs_stepsize=1 / 255),
            "pgd": foolbox.attacks.LinfPGD(steps=steps, abs_stepsize=1 / 255),
        }
        for name, attack in attacks.items():
            for repeat in range(settings["repeats"]):
                right = 0
                for place in range(0, len(labels), settings["attack_batch"]):
                    batch = slice(place, place + settings["attack_batch"])
                    _, points, _ = attack(model, inputs[batch], labels[batch], epsilons=epsilon)
                    right += int((net(points).argmax(dim=1) == labels[batch]).sum())
                rows.append({"attack": name, "epsilon": epsilon, "repeat": repeat, "accuracy": right / len(labels)})
    return rows


def trial(config: dict[str, Any], *, settings: Settings, weights: dict[str, Tensor]) -> None:
    from ray import tune

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    net = network(settings, config["theta"])
    net.load_state_dict(weights)
    if config["theta"] < 1:
        train(net, settings, epochs=settings["fine_tuning_epochs"], rate=0.05)
    tune.report({"rows": json.dumps(measured(net, settings))})


def main(settings: Settings) -> list[dict[str, Any]]:
    import ray
    from ray import tune

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    ray.init(address="local", num_cpus=settings["workers"], include_dashboard=False, log_to_driver=False)
    base = network(settings, 1.0)
    train(base, settings, epochs=settings["epochs"], rate=0.1)
    trainable = tune.with_parameters(trial, settings=settings, weights=base.state_dict())
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        param_space={"theta": tune.grid_search(settings["thetas"])},
        tune_config=tune.TuneConfig(reuse_actors=True),
        run_config=tune.RunConfig(storage_path=settings["storage"], verbose=0),
    )
    found = tuner.fit()
    return [{"theta": one.config["theta"], **row} for one in found for row in json.loads(one.metrics["rows"])]  # type: ignore[index]


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(main(json.loads(Path(sys.argv[1]).read_text()))))
