from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from tests.workers.small import DIGITS, generator, same_state, split
from workers.artifacts.artifacts import Artifacts
from workers.artifacts.outcomes import EpochRecord
from workers.data.loading.device_split import DeviceSplit
from workers.defences.quantization import deviation
from workers.errors import JobError
from workers.layers import TuckerLayer
from workers.models.network import Network, build
from workers.spec.component import UNDEFENDED, DefenceSpec
from workers.spec.fields import Schedule
from workers.spec.model import ModelSpec
from workers.spec.training import TrainingSpec
from workers.train import Checkpoint, learning_rate, train
from workers.train.loop import _Trainer

EPOCHS = 3
CHECKPOINT = "job/checkpoint"


class KilledError(Exception):
    """Stands for the SIGKILL that ends an attempt."""


@dataclass
class Attempt:
    """One attempt at a training run; all attempts at one folder are of the same job."""

    folder: Path
    theta: float = 0.8
    flip: bool = True
    defence: DefenceSpec = UNDEFENDED
    learning_rate: float = 0.1
    schedule: Schedule = "one_cycle"
    epochs: int = EPOCHS
    more: dict[str, object] = field(default_factory=dict)
    data: DeviceSplit = field(default_factory=lambda: split(24, part="train"))
    killed_after: int = 0
    reported: list[EpochRecord] = field(default_factory=list)

    def train(self) -> tuple[Network, list[EpochRecord]]:
        net = build(ModelSpec(width=2, theta=self.theta), DIGITS.info, seed=1, defence=self.defence)
        net.seed(2)
        settings = TrainingSpec(
            epochs=self.epochs,
            batch_size=8,
            learning_rate=self.learning_rate,
            schedule=self.schedule,
            horizontal_flip=self.flip,
            **self.more,
        )
        checkpoint, attack = (
            Checkpoint(Artifacts(self.folder).folder("job")),
            None if settings.adversarial_training == "none" else generator(4),
        )
        return net, train(net, self.data, settings, order=generator(3), checkpoint=checkpoint, report=self.report, attack=attack)

    def report(self, record: EpochRecord) -> None:
        self.reported.append(record)
        if record.epoch == self.killed_after:
            raise KilledError


def killed(folder: Path, *, after: int, **fields) -> None:
    with pytest.raises(KilledError):
        Attempt(folder, killed_after=after, **fields).train()


def states(folder):
    """What training has changed since its start, as stored."""
    return (folder / CHECKPOINT).read_bytes()


@pytest.mark.parametrize(("theta", "flip"), [(0.8, True), pytest.param(0.8, False, marks=pytest.mark.slow), (1.0, False)])
@pytest.mark.parametrize("after", [1, 2, 3])
def test_training_resumed_after_any_epoch_equals_the_uninterrupted_run_bit_for_bit(tmp_path, theta, flip, after):
    whole, history = Attempt(tmp_path / "whole", theta=theta, flip=flip).train()
    killed(tmp_path / "killed", after=after, theta=theta, flip=flip)
    attempt = Attempt(tmp_path / "killed", theta=theta, flip=flip)
    resumed, again = attempt.train()
    assert same_state(whole, resumed)
    assert again == history
    assert states(tmp_path / "killed") == states(tmp_path / "whole")
    assert [record.epoch for record in attempt.reported] == list(range(after + 1, EPOCHS + 1))


SMOOTH = {"nesterov": True, "label_smoothing": 0.1, "clip_norm": 0.5}
PGD = {"adversarial_training": "pgd", "adversarial_steps": (1, 3)}


@pytest.mark.parametrize(
    ("theta", "more"),
    [
        pytest.param(0.8, {"optimizer": "adam", "weight_decay": 1e-4}, id="adam"),
        pytest.param(0.8, SMOOTH, id="nesterov, label smoothing, clipping"),
        pytest.param(0.8, PGD, id="pgd"),
        pytest.param(1.0, PGD, id="pgd without a sketch"),
        pytest.param(0.8, {"adversarial_training": "r_fgsm"}, id="r_fgsm"),
        pytest.param(0.8, {"precision": "bf16"}, id="bf16"),
    ],
)
@pytest.mark.parametrize("after", [pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(3, marks=pytest.mark.slow)])
def test_every_way_of_training_resumes_bit_for_bit(tmp_path, theta, more, after):
    fields = {"theta": theta, "more": more, "learning_rate": 0.01}
    whole, history = Attempt(tmp_path / "whole", **fields).train()
    killed(tmp_path / "killed", after=after, **fields)
    resumed, again = Attempt(tmp_path / "killed", **fields).train()
    assert same_state(whole, resumed)
    assert again == history
    assert states(tmp_path / "killed") == states(tmp_path / "whole")


@pytest.mark.parametrize(
    "more",
    [
        {"loss": "trades", **PGD, "adversarial_loss": "kl", "weight_perturbation": 0.01, "weight_average": "ema", "ema_decay": 0.8},
        pytest.param(
            {"loss": "mart", "adversarial_training": "rs_fgsm", "adversarial_stepsize": 1.25, "weight_average": "swa", "average_from": 0.3},
            marks=pytest.mark.slow,
        ),
    ],
    ids=["trades, awp, ema", "mart, rs_fgsm, swa"],
)
def test_averages_and_perturbed_weights_resume_bit_for_bit(tmp_path, more):
    fields = {"more": more, "learning_rate": 0.01}
    whole, history = Attempt(tmp_path / "whole", **fields).train()
    killed(tmp_path / "killed", after=2, **fields)
    resumed, again = Attempt(tmp_path / "killed", **fields).train()
    assert same_state(whole, resumed)
    assert again == history
    assert states(tmp_path / "killed") == states(tmp_path / "whole")


@pytest.mark.parametrize("theta", [1.0, 0.8])
@pytest.mark.parametrize("name", ["defensive_dropout", pytest.param("defensive_quantization", marks=pytest.mark.slow)])
def test_training_with_a_defence_resumes_bit_for_bit(tmp_path, name, theta):
    fields = {"theta": theta, "defence": DefenceSpec(name=name), "more": PGD, "learning_rate": 0.01}
    whole, history = Attempt(tmp_path / "whole", **fields).train()
    killed(tmp_path / "killed", after=2, **fields)
    resumed, again = Attempt(tmp_path / "killed", **fields).train()
    assert same_state(whole, resumed)
    assert again == history
    assert states(tmp_path / "killed") == states(tmp_path / "whole")


def test_the_lipschitz_term_is_learnt_from(tmp_path):
    def penalty(beta):
        defence = DefenceSpec(name="defensive_quantization", lipschitz_beta=beta)
        net, history = Attempt(tmp_path / str(beta), theta=1.0, learning_rate=0.01, defence=defence).train()
        kernels = [module.kernel().detach() for module in net.body.modules() if isinstance(module, TuckerLayer)]
        return sum(float(deviation(kernel)) for kernel in kernels), history[0].loss

    (without, plain_loss), (with_term, loss) = penalty(1e-9), penalty(0.1)
    assert with_term < 0.9 * without
    assert loss > plain_loss


@pytest.mark.parametrize(
    "more",
    [
        {"optimizer": "adam"},
        {"nesterov": True},
        {"label_smoothing": 0.1},
        {"clip_norm": 1e-3},
        PGD,
        {"adversarial_training": "r_fgsm"},
        {"precision": "bf16"},
        {"channels_last": False},
    ],
    ids=str,
)
def test_every_setting_changes_what_is_learnt(tmp_path, more):
    # Channels-last differs by rounding only.
    plain, _ = Attempt(tmp_path / "plain").train()
    other, _ = Attempt(tmp_path / "other", more=more).train()
    assert not same_state(plain, other)


@pytest.mark.parametrize("more", [{"optimizer": "adam"}, {"precision": "bf16"}, PGD], ids=str)
def test_a_diverging_run_is_an_error_however_it_is_trained(tmp_path, more):
    with pytest.raises(JobError, match="the training loss is nan"):
        Attempt(tmp_path, data=nan_data(), more=more).train()


def damage_truncated(content):
    return content[: len(content) // 2]


def damage_empty(content):
    return b""


def damage_header(content):
    return b"\xff" * 8 + content[8:]


def damage_text(content):
    return b"not safetensors at all"


@pytest.mark.parametrize("damage", [damage_truncated, damage_empty, damage_header, damage_text])
def test_an_unreadable_checkpoint_starts_the_training_anew(tmp_path, damage):
    whole, history = Attempt(tmp_path / "whole").train()
    killed(tmp_path / "damaged", after=2)
    path = tmp_path / "damaged" / CHECKPOINT
    path.write_bytes(damage(path.read_bytes()))
    attempt = Attempt(tmp_path / "damaged")
    again, records = attempt.train()
    assert same_state(whole, again)
    assert records == attempt.reported == history


def nan_data():
    data = split(24, part="train")
    return DeviceSplit(torch.full_like(data.inputs, float("nan")), data.labels)


@pytest.mark.parametrize("fields", [{"learning_rate": 1e30}, {"data": nan_data()}], ids=["learning_rate", "inputs"])
def test_a_loss_that_is_not_finite_is_an_error_that_names_epoch_and_learning_rate(tmp_path, fields):
    with pytest.raises(JobError, match=r"epoch [12]: the training loss is (nan|inf); try a learning_rate below (1e\+30|0\.1)"):
        Attempt(tmp_path, **fields).train()


@pytest.mark.parametrize("kind", ["weight", "running_var", "running_mean"])
@pytest.mark.parametrize("epoch", [1, 2, EPOCHS])
def test_weights_or_statistics_that_are_not_finite_fail_their_epoch_though_its_loss_is(tmp_path, monkeypatch, kind, epoch):
    whole_epoch = _Trainer.epoch

    def spoilt(trainer, number):
        record = whole_epoch(trainer, number)
        if number == epoch:
            next(tensor for name, tensor in trainer.network.state_dict().items() if name.endswith(kind)).view(-1)[0] = float("nan")
        return record

    monkeypatch.setattr(_Trainer, "epoch", spoilt)
    attempt = Attempt(tmp_path)
    with pytest.raises(
        JobError, match=rf"^epoch {epoch}: 1 of \d+ weights and statistics are not finite, first \S*{kind}; try a learning_rate"
    ):
        attempt.train()
    assert [record.epoch for record in attempt.reported] == list(range(1, epoch))
    monkeypatch.undo()
    assert len(Attempt(tmp_path).train()[1]) == EPOCHS  # the last good epoch was kept


def test_a_diverging_epoch_is_neither_checkpointed_nor_reported(tmp_path):
    killed(tmp_path, after=1)
    before = states(tmp_path)
    attempt = Attempt(tmp_path, data=nan_data())
    with pytest.raises(JobError, match="epoch 2"):
        attempt.train()
    assert states(tmp_path) == before
    assert attempt.reported == []


def test_adversarial_training_without_its_generator_is_refused(tmp_path):
    net = build(ModelSpec(width=2), DIGITS.info, seed=1)
    settings, checkpoint = TrainingSpec(epochs=1, adversarial_training="pgd"), Checkpoint(Artifacts(tmp_path).folder("job"))
    with pytest.raises(ValueError, match="adversarial_training=pgd with attack=None: one needs the other"):
        train(net, split(8), settings, order=generator(3), checkpoint=checkpoint, report=[].append)


def test_training_lowers_the_loss(tmp_path):
    _, history = Attempt(tmp_path, theta=1.0, epochs=10, data=split(40, part="train")).train()
    assert history[-1].loss < 0.9 * history[0].loss
    assert history[-1].accuracy > history[0].accuracy


@pytest.mark.parametrize("schedule", ["one_cycle", "step"])
def test_the_schedule_spans_all_steps_of_all_epochs(tmp_path, schedule):
    _, history = Attempt(tmp_path, schedule=schedule).train()
    last_steps = [2, 5, 8]  # 24 examples in batches of 8
    assert [record.learning_rate for record in history] == [
        learning_rate(step, total=9, peak=0.1, schedule=schedule) for step in last_steps
    ]


def seen_images(tmp_path, data, *, flip):
    """The images that the network is given in one epoch."""
    seen = []
    net = build(ModelSpec(width=2), DIGITS.info, seed=1)
    net.register_forward_pre_hook(lambda _, given: seen.append(given[0].clone()))
    settings, checkpoint = TrainingSpec(epochs=1, batch_size=8, horizontal_flip=flip), Checkpoint(Artifacts(tmp_path).folder("job"))
    train(net, data, settings, order=generator(3), checkpoint=checkpoint, report=[].append)
    return torch.cat(seen)


def one_sided(count):
    """Images whose one bright pixel says whether they were flipped, and whose grey says which they are."""
    images = torch.arange(count)[:, None, None, None].expand(-1, 3, 8, 8) / (2 * count)
    images = images.clone()
    images[:, :, :, 0] = 1
    return DeviceSplit(images, torch.arange(count) % 10)


def test_about_half_of_the_images_are_flipped(tmp_path):
    seen = seen_images(tmp_path, one_sided(240), flip=True)
    flipped = seen[:, 0, 0, -1] == 1
    assert 120 - 31 < int(flipped.sum()) < 120 + 31  # four standard deviations
    assert torch.equal(torch.where(flipped, seen[:, 0, 0, 0], seen[:, 0, 0, -1]).sort().values, one_sided(240).inputs[:, 0, 0, 1])


def test_no_image_is_flipped_unless_asked(tmp_path):
    seen = seen_images(tmp_path, one_sided(24), flip=False)
    assert bool((seen[:, 0, 0, 0] == 1).all())


def test_an_epoch_sees_every_image_once_in_random_order_but_for_a_last_smaller_batch(tmp_path):
    grey = seen_images(tmp_path, one_sided(29), flip=False)[:, 0, 0, 1]
    assert len(grey) == len(set(grey.tolist())) == 24
    assert grey.tolist() != sorted(grey.tolist())


def test_fewer_images_than_a_batch_are_one_batch(tmp_path):
    assert len(seen_images(tmp_path, one_sided(5), flip=False)) == 5


def test_training_does_not_change_the_data_or_the_global_generator(tmp_path):
    data = split(24, part="train")
    net = build(ModelSpec(width=2, theta=0.8), DIGITS.info, seed=1)
    net.seed(2)
    before = torch.get_rng_state()
    checkpoint = Checkpoint(Artifacts(tmp_path).folder("job"))
    train(net, data, TrainingSpec(epochs=1, horizontal_flip=True), order=generator(3), checkpoint=checkpoint, report=[].append)
    assert torch.equal(data.inputs, split(24, part="train").inputs)
    assert torch.equal(torch.get_rng_state(), before)
