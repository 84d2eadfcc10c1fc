"""Components that break their contract: what checks say of them, and what a sweep with one of them among good ones comes to."""

import json
import re
from pathlib import Path

import pytest

from robustsweep import testing
from tests.commands import robustsweep

BAD = """
import torch
from torch import nn
import robustsweep as rs

def linear(info, n_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(info.shape[0] * info.shape[1] * info.shape[2], n_classes))

@rs.model
def good_net(info):
    return linear(info, info.n_classes)

@rs.model
def ten_classes(info):
    return linear(info, 10)

class Noise(nn.Module):
    def forward(self, logits):
        return logits + torch.randn(1)

@rs.model
def global_noise(info):
    return nn.Sequential(linear(info, info.n_classes), Noise())

class Nan(nn.Module):
    def forward(self, logits):
        return logits * float("nan")

@rs.model
def nan_net(info):
    return nn.Sequential(linear(info, info.n_classes), Nan())

@rs.model
def no_module(info):
    return "a net"

class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))
    def forward(self, logits):
        self.calls += 1
        return logits

@rs.model
def keeps_state(info):
    return nn.Sequential(linear(info, info.n_classes), Counter())

class Centred(nn.Module):
    def forward(self, logits):
        return logits - logits.mean(dim=0)

@rs.model
def mixes_examples(info):
    return nn.Sequential(linear(info, info.n_classes), Centred())

@rs.attack
def elsewhere(logits, inputs, labels, *, epsilon):
    return inputs.to("meta")

@rs.attack(takes_gradients=False)
def gradients_after_all(logits, inputs, labels, *, epsilon, bounds):
    points = inputs.requires_grad_(True)
    (slope,) = torch.autograd.grad(logits(points)[:, 0].sum(), points)
    return (points + epsilon * slope.sign()).clamp(*bounds)

@rs.attack
def outside(logits, inputs, labels, *, epsilon):
    return inputs + 2 * epsilon

@rs.attack
def double(logits, inputs, labels, *, epsilon):
    return inputs.double()

@rs.attack
def draws(logits, inputs, labels, *, epsilon, bounds, generator):
    return (inputs + epsilon * torch.rand(inputs.shape, generator=generator)).clamp(*bounds)

@rs.attack(random_start=True)
def global_draws(logits, inputs, labels, *, epsilon, bounds):
    return (inputs + epsilon * torch.rand(inputs.shape)).clamp(*bounds)

@rs.attack(modalities=("image",))
def images_alone(logits, inputs, labels, *, epsilon, bounds):
    batch, channels, height, width = inputs.shape
    return (inputs + epsilon).clamp(*bounds)

@rs.attack
def images_alone_unsaid(logits, inputs, labels, *, epsilon, bounds):
    batch, channels, height, width = inputs.shape
    return (inputs + epsilon).clamp(*bounds)

@rs.attack
def in_place(logits, inputs, labels, *, epsilon, bounds):
    return inputs.add_(epsilon).clamp_(*bounds)

@rs.attack
def raises(logits, inputs, labels, *, epsilon):
    return inputs / {}["epsilon"]

@rs.defence
class Unsaid(rs.Defence):
    def transform(self, inputs):
        return inputs + torch.rand(inputs.shape)

@rs.defence(randomised=True)
class Said(rs.Defence):
    def transform(self, inputs):
        return inputs + (self.uniform(inputs.shape, inputs.device, owner=self) if self.live else 0)

@rs.defence
class Unpayable(rs.Defence):
    def penalty(self, body):
        return torch.tensor(float("inf"))

@rs.defence
class ImagesUnsaid(rs.Defence):
    def transform(self, inputs):
        batch, channels, height, width = inputs.shape
        return inputs

@rs.defence(modalities=("image",))
class OtherShape(rs.Defence):
    def transform(self, inputs):
        return inputs
    def backward_approximation(self, inputs):
        return inputs[..., :-1]

@rs.loss
def pair(network, inputs, labels, adversary):
    return network(inputs)

@rs.metric
def one(clean, attacked, labels):
    return torch.zeros(())

@rs.corruption
def darker(images, severity, draws):
    return images * (1 - severity / 10) + 0.01 * draws.normal(*images.shape[1:])

@rs.corruption
def less_contrast(images, severity, draws):
    return (images + images.mean()) / 2

@rs.corruption
def smaller(images, severity, draws):
    return images[:, :, ::2, ::2]

@rs.metric
def infinite(clean, attacked, labels):
    return (attacked - clean).flatten(1).norm(dim=1) / 0

@rs.dataset
def other_each_time(root):
    return ((torch.rand(4, 3, 8, 8), torch.arange(4)),) * 2

@rs.dataset
def three(root):
    labels = torch.arange(48) % 3
    images = torch.rand(48, 1, 6, 6, generator=torch.Generator().manual_seed(0)) / 2 + labels.view(-1, 1, 1, 1) / 6
    return (images[:32], labels[:32]), (images[32:], labels[32:])
"""
SPACE = """
plugins: [bad.py]
data: {name: three}
model: {name: [good_net, ten_classes, nan_net, no_module], tensorized: false}
training: {epochs: 1, batch_size: 16}
evaluation: {batch_size: 16}
attacks:
  - {attack: [outside, double, raises, in_place, fgsm], epsilon: 8/255}
"""


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("model", "good_net", ""),
        ("model", "ten_classes", "7 classes: logits of shape (4, 10): must be (4, 7), a row an example, a column a class"),
        ("model", "global_noise", "two passes in eval mode differ, and it is not `randomised`"),
        ("model", "nan_net", "7 classes: its logits are not finite"),
        ("model", "keeps_state", "its forward pass changes its state in eval mode (1.calls)"),
        ("model", "mixes_examples", "an example's logits depend on the others of its batch"),
        ("model", "no_module", "returned str, must be a torch.nn.Module"),
        ("attack", "outside", "lies 0.2"),
        ("attack", "double", "must be like its inputs, (4, 3, 32, 32), torch.float32, cpu"),
        ("attack", "elsewhere", "returned (4, 3, 32, 32), torch.float32, meta; must be like its inputs"),
        ("attack", "gradients_after_all", "it takes gradients, and says takes_gradients=False"),
        ("attack", "draws", "it draws, and does not say random_start=True"),
        ("attack", "global_draws", "equal generators give other points: draw everything from `generator`"),
        ("attack", "in_place", ""),
        ("attack", "images_alone", ""),
        ("attack", "images_alone_unsaid", 'given audio of shape (4, 1, 32); one that takes images alone says modalities=("image",)'),
        ("attack", "raises", "KeyError: 'epsilon'"),
        ("defence", "unsaid", "two passes in eval mode differ, and it is not `randomised`"),
        ("defence", "said", ""),
        ("defence", "unpayable", "the penalty is inf: must be a finite scalar"),
        ("defence", "images_unsaid", 'given audio of shape (4, 1, 32); one that takes images alone says modalities=("image",)'),
        ("defence", "other_shape", "transform gives (4, 3, 32, 32), backward_approximation (4, 3, 32, 31): must be of one shape"),
        ("loss", "pair", "the loss is of shape (4, 7): must be a finite scalar"),
        ("loss", "cross_entropy", ""),
        ("metric", "infinite", "returned values that are not finite"),
        ("metric", "one", "returned of shape () for 4 examples"),
        ("corruption", "darker", ""),
        (
            "corruption",
            "less_contrast",
            "an image is another one in another batch: draw everything from `draws`",
        ),
        ("corruption", "smaller", "returned another shape; must be (4, 1, 32, 32)"),
        ("dataset", "other_each_time", "read twice it holds other examples"),
        ("dataset", "three", ""),
    ],
)
@pytest.mark.usefixtures("forgotten")
def test_checks_say_what_is_broken_and_where(tmp_path: Path, kind: str, name: str, said: str) -> None:
    (tmp_path / "bad.py").write_text(BAD)
    testing.load(tmp_path / "bad.py")
    check = getattr(testing, f"check_{kind}")
    if not said:
        check(name)
        return
    with pytest.raises(testing.ContractError) as caught:
        check(name)
    message = str(caught.value)
    assert message.startswith(f"{kind} {name} (bad.py, line ")
    assert said in message
    assert message.count(f"{kind} {name}") == 1
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "settings"), [("fgsm", {}), ("pgd", {"steps": 3, "abs_stepsize": 0.05}), ("noise", {}), ("square", {"steps": 3})]
)
def test_our_own_attacks_keep_the_contract(name: str, settings: dict[str, float]) -> None:
    testing.check_attack(name, **settings)


def test_a_plugin_is_checked_by_a_command(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(BAD)
    (tmp_path / "none.py").write_text("x = 1\n")
    done = robustsweep("check-plugin", "bad.py", "-f", "csv", cwd=tmp_path)
    assert done.returncode == 2
    assert re.search('model,good_net,"bad.py, line [0-9]+",keeps the contract', done.stdout)
    assert re.search('corruption,darker,"bad.py, line [0-9]+",keeps the contract', done.stdout)
    assert re.search('attack,outside,"bad.py, line [0-9]+",an adversarial example lies', done.stdout)
    done = robustsweep("check-plugin", "none.py", cwd=tmp_path)
    assert (done.returncode, "none.py: registers nothing" in done.stderr) == (2, True)
    listed = robustsweep("components", "attacks", "--plugin", "bad.py", "-f", "json", cwd=tmp_path)
    rows = {row["name"]: row for row in json.loads(listed.stdout)}
    assert rows["outside"]["source"] == str(tmp_path / "bad.py")
    assert len(rows["outside"]["digest"]) == 12
    assert (rows["pgd"]["source"], rows["pgd"]["settings"]) == ("robustsweep", "steps=paper, abs_stepsize=none, loss=ce, precision=float32")
    wrong = robustsweep("components", "nets", cwd=tmp_path)
    assert (wrong.returncode, "one of model, dataset" in wrong.stderr) == (2, True)


def test_what_is_bad_fails_with_its_reason_and_the_rest_of_the_sweep_is_done(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(BAD)
    (tmp_path / "space.yaml").write_text(SPACE)
    launched = robustsweep("launch", "space.yaml", "--executor", "inline", cwd=tmp_path)
    assert launched.returncode == 1, launched.stdout + launched.stderr
    said = robustsweep("status", "space", "--failed", cwd=tmp_path).stdout
    for reason in (
        "model ten_classes (bad.py, line N), before its training: logits of shape (8, 10): must be (8, 3)",
        "model nan_net (bad.py, line N), before its training: its logits are not finite",
        "model no_module (bad.py, line N): returned str, must be a torch.nn.Module",
        "attack outside (bad.py, line N): an adversarial example lies 0.06",
        "attack double (bad.py, line N): returned (16, 1, 6, 6), torch.float64, cpu; must be like its inputs",
        "bad.py, line N: KeyError: 'epsilon'",
    ):
        assert reason in re.sub("line [0-9]+", "line N", " ".join(said.split()))
    results = robustsweep("results", "space", "-f", "json", cwd=tmp_path)
    done = {(row["attack"], row["model"]) for row in json.loads(results.stdout)}
    assert {("in_place", "good_net"), ("fgsm", "good_net")} <= done
