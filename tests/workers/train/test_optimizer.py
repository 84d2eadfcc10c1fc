"""The training step against the textbook, computed by hand."""

import pytest
import torch
from torch import nn

from tests.workers.small import DIGITS, generator, split
from workers.artifacts.artifacts import Artifacts
from workers.models.network import build
from workers.spec.model import ModelSpec
from workers.spec.training import TrainingSpec
from workers.train import Checkpoint, train
from workers.train.loop import in_bf16
from workers.train.optimizer import build_optimizer

RATE, DECAY = 0.1, 0.01


def moved(gradients, **settings):
    """A parameter's way from 1.0 under the given gradients."""
    parameter = nn.Parameter(torch.ones((), dtype=torch.float64))
    optimizer = build_optimizer([parameter], TrainingSpec(epochs=1, learning_rate=RATE, weight_decay=DECAY, **settings))
    way = []
    for gradient in gradients:
        parameter.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        way.append(float(parameter.detach()))
    return way


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_is_the_textbooks(momentum, nesterov):
    weight, velocity, expected = 1.0, 0.0, []
    for gradient in (0.5, -0.25, 1.0):
        decayed = gradient + DECAY * weight
        velocity = momentum * velocity + decayed
        weight -= RATE * (decayed + momentum * velocity if nesterov else velocity)
        expected.append(weight)
    assert moved((0.5, -0.25, 1.0), momentum=momentum, nesterov=nesterov) == pytest.approx(expected)


def test_adam_is_the_textbooks():
    weight, first, second, expected = 1.0, 0.0, 0.0, []
    for step, gradient in enumerate((0.5, -0.25, 1.0), start=1):
        decayed = gradient + DECAY * weight
        first, second = 0.9 * first + 0.1 * decayed, 0.999 * second + 0.001 * decayed**2
        weight -= RATE * (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)) ** 0.5 + 1e-8)
        expected.append(weight)
    assert moved((0.5, -0.25, 1.0), optimizer="adam") == pytest.approx(expected)


def one_step(tmp_path, **settings):
    """The changes of all parameters in one step on one batch, the recorded loss, and the logits that the batch had."""
    net, data = build(ModelSpec(width=2), DIGITS.info, seed=1), split(16, part="train")
    before = [parameter.detach().clone() for parameter in net.parameters()]
    seen = []
    net.register_forward_hook(lambda _, __, logits: seen.append(logits.detach()))
    spec = TrainingSpec(epochs=1, batch_size=16, momentum=0.0, weight_decay=0.0, schedule="step", **settings)
    (record,) = train(net, data, spec, order=generator(3), checkpoint=Checkpoint(Artifacts(tmp_path).folder("job")), report=[].append)
    changes = torch.cat([(now.detach() - then).flatten() for now, then in zip(net.parameters(), before, strict=True)])
    order = torch.randperm(16, generator=generator(3))
    return changes, record.loss, seen[0], data.labels[order]


def test_label_smoothing_shares_its_part_of_the_target_equally_among_all_classes(tmp_path):
    _, loss, logits, labels = one_step(tmp_path, label_smoothing=0.1)
    target = torch.full_like(logits, 0.1 / 10)
    target[torch.arange(16), labels] += 0.9
    assert loss == pytest.approx(float(-(target * logits.log_softmax(dim=1)).sum(dim=1).mean()), rel=1e-5)


def test_clipping_shortens_the_whole_gradient_to_its_norm_and_keeps_its_direction(tmp_path):
    plain, *_ = one_step(tmp_path / "plain", learning_rate=0.01)
    clipped, *_ = one_step(tmp_path / "clipped", learning_rate=0.01, clip_norm=0.25)
    loose, *_ = one_step(tmp_path / "loose", learning_rate=0.01, clip_norm=1e6)
    assert float(plain.norm()) > 0.01 * 0.25
    assert float(clipped.norm()) == pytest.approx(0.01 * 0.25, rel=1e-3)
    assert float(torch.cosine_similarity(plain, clipped, dim=0)) == pytest.approx(1, abs=1e-4)
    assert torch.equal(loose, plain)


def test_bf16_computes_nearly_the_same_loss_and_keeps_weights_in_float32(tmp_path):
    exact, rounded = (one_step(tmp_path / precision, precision=precision) for precision in ("float32", "bf16"))
    assert exact[1] != rounded[1]
    assert rounded[1] == pytest.approx(exact[1], rel=0.02)
    assert rounded[0].dtype == torch.float32


@pytest.mark.parametrize(
    ("precision", "device", "gpu_has_it", "halved"),
    [
        ("float32", "cuda", True, False),
        ("bf16", "cpu", False, True),
        ("bf16", "cuda", False, True),
        ("auto", "cpu", True, False),
        ("auto", "cuda", False, False),
        ("auto", "cuda", True, True),
    ],
)
def test_auto_is_bf16_on_a_gpu_that_has_it_without_emulation(monkeypatch, precision, device, gpu_has_it, halved):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *, including_emulation: including_emulation or gpu_has_it)
    assert in_bf16(precision, torch.device(device)) == halved


def test_auto_on_a_cpu_is_float32_to_the_last_bit(tmp_path):
    exact, chosen = (one_step(tmp_path / precision, precision=precision) for precision in ("float32", "auto"))
    assert torch.equal(exact[0], chosen[0])
    assert exact[1] == chosen[1]


def test_the_memory_layout_changes_nothing_but_rounding(tmp_path):
    # Gradients are not compared: where a ReLU's input is almost zero, the last bit decides.
    one, other = (one_step(tmp_path / str(layout), channels_last=layout)[1] for layout in (False, True))
    assert one == pytest.approx(other, rel=1e-5)
