"""Augmentation, mixed examples, aligned gradients and best weights, each alone and resumed bit for bit."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from tests.workers.small import DIGITS, generator, same_state, split
from workers.artifacts.artifacts import Artifacts
from workers.artifacts.outcomes import EpochRecord
from workers.data.loading.device_split import DeviceSplit
from workers.models.network import build
from workers.spec.model import ModelSpec
from workers.spec.training import TrainingSpec
from workers.train import Checkpoint, Extra, train
from workers.train.augment import augmented
from workers.train.chosen_weights import BestWeights, WeightAverage
from workers.train.loop import _Trainer
from workers.train.mixing import mixed
from workers.train.optimizer import build_optimizer
from workers.train.regularisers import misalignment

IMAGES = torch.rand(6, 3, 16, 12, generator=generator(1))
WAVEFORMS = torch.rand(6, 1, 4000, generator=generator(1)).mul(1.6).sub(0.8)
LABELS = torch.arange(6) % 4
RS_FGSM = {"adversarial_training": "rs_fgsm", "adversarial_stepsize": 1.25}


def settings(**given):
    return TrainingSpec(epochs=1, **given)


@pytest.mark.parametrize(
    ("given", "inputs"),
    [
        ({"cutout": 5}, IMAGES),
        *(({"augmentation": name}, IMAGES) for name in ("autoaugment", "idbh", "randaugment", "trivialaugment")),
        ({"augmentation": "trivialaugment"}, IMAGES[:, :1]),
        ({"time_shift": 0.2}, WAVEFORMS),
        ({"background_noise": 0.5}, WAVEFORMS),
        ({"spectrogram_masks": 0.3}, WAVEFORMS),
    ],
    ids=["cutout", "autoaugment", "idbh", "randaugment", "trivialaugment", "grey", "shift", "noise", "masks"],
)
def test_augmented_examples_are_legal_of_their_own_and_drawn_from_the_generator_alone(given, inputs):
    before, state = inputs.clone(), torch.get_rng_state()
    torch.manual_seed(3)
    found = augmented(inputs, settings(**given), generator(7))
    torch.manual_seed(4)
    again = augmented(inputs, settings(**given), generator(7))
    torch.set_rng_state(state)
    assert torch.equal(found, again)
    assert torch.equal(inputs, before)
    assert found.shape == inputs.shape
    low, high = (0, 1) if inputs.dim() == 4 else (-1, 1)
    assert low <= float(found.min())
    assert float(found.max()) <= high
    changed = (found - inputs).abs().flatten(1).amax(dim=1) > 1e-4
    assert changed.sum() >= 2
    assert not torch.equal(found, augmented(inputs, settings(**given), generator(8)))


def test_a_cut_out_square_is_black_and_the_rest_is_untouched():
    found = augmented(IMAGES + 0.1, settings(cutout=4), generator(2))
    for image, before in zip(found, IMAGES + 0.1, strict=True):
        black = (image == 0).all(dim=0)
        rows, columns = black.any(dim=1), black.any(dim=0)
        assert torch.equal(black, rows[:, None] & columns[None])
        assert 1 <= int(rows.sum()) <= 4
        assert torch.equal(image[:, ~black], before[:, ~black])


def test_a_shifted_waveform_is_itself_elsewhere():
    found = augmented(WAVEFORMS, settings(time_shift=0.1), generator(2))
    for one, before in zip(found[:, 0], WAVEFORMS[:, 0], strict=True):
        assert any(torch.equal(one, F.pad(before, [400, 400])[start : start + 4000]) for start in range(801))


def test_spectrogram_masks_keep_a_waveform_where_nothing_is_masked():
    quiet = augmented(WAVEFORMS, settings(spectrogram_masks=1e-4), generator(2))
    torch.testing.assert_close(quiet, WAVEFORMS, rtol=0, atol=1e-4)
    masked = augmented(WAVEFORMS, settings(spectrogram_masks=0.5), generator(2))
    assert float(masked.square().mean()) < float(WAVEFORMS.square().mean())


@pytest.mark.parametrize("alpha", [1.0, 0.3])
def test_mixup_blends_an_example_and_its_label_in_one_share(alpha):
    found, shares = mixed(IMAGES, LABELS, settings(mixing="mixup", mixing_alpha=alpha), generator(2), n_classes=4)
    own = shares.gather(1, LABELS[:, None])
    expected = own[:, :, None, None] * IMAGES + (1 - own)[:, :, None, None] * IMAGES.roll(1, 0)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(6))
    assert len(set(own.flatten().tolist())) == 6


def test_shares_of_mixtures_are_betas():
    many, labels = torch.zeros(4000, 1, 1, 1), torch.zeros(4000, dtype=torch.long)
    labels[::2] = 1
    _, shares = mixed(many, labels, settings(mixing="mixup", mixing_alpha=0.5), generator(2), n_classes=2)
    own = shares.gather(1, labels[:, None])
    assert abs(float(own.mean()) - 0.5) < 0.03
    assert abs(float(own.var()) - 1 / 8) < 0.01  # of Beta(a, a): 1 / (4 (2 a + 1))


def test_cutmix_takes_a_rectangle_of_another_and_its_label_in_proportion():
    found, shares = mixed(IMAGES, LABELS, settings(mixing="cutmix"), generator(2), n_classes=4)
    for number in range(6):
        of_other = (found[number] == IMAGES[number - 1]).all(dim=0)
        assert torch.equal(found[number][:, ~of_other], IMAGES[number][:, ~of_other])
        torch.testing.assert_close(shares[number, LABELS[number]], 1 - of_other.float().mean())
        assert torch.equal(of_other, of_other.any(dim=1)[:, None] & of_other.any(dim=0)[None])


def net(theta=1.0, rank=1.0):
    made = build(ModelSpec(width=2, theta=theta, rank_fraction=rank), DIGITS.info, seed=1).double()
    made.seed(2)
    return made


def test_misalignment_is_none_for_a_linear_net_and_grows_with_curvature():
    inputs = torch.rand(5, 8, generator=generator(1), dtype=torch.float64)
    labels = torch.arange(5) % 2
    weights = torch.randn(8, 2, generator=generator(2), dtype=torch.float64)
    spec = settings(**RS_FGSM)

    def apart(logits):
        return float(misalignment(logits, inputs, labels, settings=spec, generator=generator()).detach())

    # Of two classes the gradient is a multiple of the difference of their weights.
    assert apart(lambda x: x @ weights) < 1e-12
    assert 1e-6 < apart(lambda x: (x @ weights).sin()) < apart(lambda x: (30 * x @ weights).sin())


def test_misalignment_is_differentiated_by_the_weights_of_layers_in_factors():
    """Tensors that layers recompute in the backward pass keep their part in second derivatives."""
    made = net().eval()
    inputs, labels = torch.rand(4, *DIGITS.info.shape, generator=generator(1), dtype=torch.float64), torch.arange(4)
    spec = settings(**RS_FGSM)

    def apart():
        return misalignment(made, inputs, labels, settings=spec, generator=generator(3))

    core = next(module for module in made.modules() if hasattr(module, "core")).core
    (slope,) = torch.autograd.grad(apart(), core)
    direction = torch.randn(core.shape, generator=generator(4), dtype=torch.float64)
    found = []
    for step in (1e-6, -2e-6):
        core.data.add_(direction, alpha=step)
        found.append(float(apart().detach()))
    above, below = found
    assert (above - below) / 2e-6 == pytest.approx(float((slope * direction).sum()), rel=1e-3, abs=1e-7)


def test_the_best_weights_are_those_of_the_epoch_that_pgd_leaves_most_of():
    module = torch.nn.Linear(2, 1, bias=False)
    best = BestWeights(module)
    for epoch, (clean, robust) in enumerate([(0.5, 0.2), (0.6, 0.4), (0.9, 0.4), (0.9, 0.1)], 1):
        torch.nn.init.constant_(module.weight, epoch)
        record = {"validation_accuracy": clean, "validation_pgd_accuracy": robust}
        best.consider(EpochRecord(epoch=epoch, loss=1.0, accuracy=0.5, learning_rate=0.1, **record))
    assert best.epoch == 2
    assert best.weights["weight"].tolist() == [[2.0, 2.0]]


class KilledError(Exception):
    """Stands for the SIGKILL that ends an attempt."""


def trained(folder, *, killed_after=0, **given):
    made = build(ModelSpec(width=2, theta=0.8), DIGITS.info, seed=1)
    made.seed(2)
    spec = TrainingSpec(epochs=3, batch_size=8, learning_rate=0.01, **given)
    best, attack = BestWeights(made), None if spec.adversarial_training == "none" else generator(4)

    def report(record):
        if record.epoch == killed_after:
            raise KilledError

    checkpoint = Checkpoint(Artifacts(folder).folder("job"))
    data, held_out = split(24, part="train"), split(16)
    train(made, data, spec, order=generator(3), checkpoint=checkpoint, report=report, attack=attack, validation=held_out, best=best)
    return made, best


@pytest.mark.parametrize(
    "given",
    [
        {"mixing": "cutmix", "augmentation": "randaugment", "cutout": 3},
        pytest.param(
            {**RS_FGSM, "mixing": "mixup", "mixing_alpha": 0.4, "gradient_alignment": 0.2, "weight_perturbation": 0.01},
            marks=pytest.mark.slow,
        ),
        {"loss": "trades", "adversarial_training": "pgd", "adversarial_steps": (1, 1), "adversarial_loss": "kl", "mixing": "mixup"},
    ],
    ids=["augmented", "grad_align", "trades"],
)
def test_each_way_resumes_bit_for_bit_with_its_best_weights(tmp_path, given):
    whole, best = trained(tmp_path / "whole", **given)
    with pytest.raises(KilledError):
        trained(tmp_path / "killed", killed_after=2, **given)
    resumed, again = trained(tmp_path / "killed", **given)
    assert same_state(whole, resumed)
    assert best.epoch == again.epoch
    assert all(torch.equal(tensor, again.weights[name]) for name, tensor in best.weights.items())


def plain(value, count):
    """Examples that are all alike."""
    return DeviceSplit(torch.full((count, 3, 4, 4), value), torch.full((count,), int(value)))


@pytest.mark.parametrize(("share", "more"), [(0.25, 2), (0.7, 6), (0.01, 1), (0.99, 7)])
def test_extra_examples_are_their_share_of_every_batch(share, more):
    made, spec = build(ModelSpec(width=2), DIGITS.info, seed=1), TrainingSpec(epochs=1, batch_size=8)
    optimizer, average = build_optimizer(made.parameters(), spec), WeightAverage(made, spec)
    trainer = _Trainer(made, made, plain(0.0, 26), spec, generator(3), None, optimizer, average, Extra(plain(1.0, 5), share))
    batches = list(trainer._batches())
    assert len(batches) == 26 // 8
    for inputs, labels in batches:
        assert int(labels.sum()) == more
        assert torch.equal(inputs[:, 0, 0, 0].long(), labels)
