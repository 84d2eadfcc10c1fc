"""Settings of a training, all resolved. Imports neither torch nor Ray."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from workers.registry import LOSSES
from workers.spec.component import ComponentSpec
from workers.spec.fields import (
    AdversarialLoss,
    AdversarialTraining,
    Augmentation,
    CheckpointName,
    Count,
    Factor,
    Index,
    Mixing,
    NonNegative,
    NormName,
    Optimizer,
    Positive,
    Precision,
    Recipe,
    Schedule,
    Share,
    ShareBelowOne,
    WeightAveraging,
    epsilon_fraction,
)


def canonical_epsilon(literal: str) -> str:
    """Return the epsilon as a fraction in lowest terms, so that `8/255` and `16/510` have one key.

    Raises:
        ValueError: the literal is not a number in (0, 1].
    """
    return str(epsilon_fraction(literal))


def _ascending_epsilons(ends: tuple[str, str]) -> tuple[str, str]:
    if epsilon_fraction(ends[0]) > epsilon_fraction(ends[1]):
        raise ValueError("must be [low, high], low <= high")
    return ends


def _ascending(ends: tuple[int, int]) -> tuple[int, int]:
    if ends[0] > ends[1]:
        raise ValueError("must be [low, high], low <= high")
    return ends


Epsilon = Annotated[str, AfterValidator(canonical_epsilon)]
# Not strict: a spec read from JSON as plain data has lists.
EpsilonRange = Annotated[tuple[Epsilon, Epsilon], Field(strict=False), AfterValidator(_ascending_epsilons)]
CountRange = Annotated[tuple[Count, Count], Field(strict=False), AfterValidator(_ascending)]
Milestones = Annotated[tuple[ShareBelowOne, ...], Field(strict=False)]


USUAL_WARM_UP: dict[Schedule, float] = {"cosine": 0.0, "linear": 0.0, "one_cycle": 0.25, "step": 0.0}
"""Share of all steps over which the learning rate rises where a training does not say."""


class TrainingSpec(ComponentSpec):
    """A training loss under SGD, Adam or AdamW, with its own `settings`; the defaults are the recipe `custom`.

    With 0 `epochs` the weights stay as they are. `recipe` names the source of the values; it is not part of the job key. `momentum`
    and `nesterov` are SGD's; `weight_decay` is an L2 penalty, under AdamW a decay of the weights themselves. The learning rate follows
    `schedule` (see `workers.train.optimizer`): `step` multiplies it by `gamma` at each of `milestones`, shares of all epochs. Over the
    first `warm_up`, a share of all steps, it rises linearly (null: a quarter under `one_cycle`, else none). `clip_norm` is the largest l2
    norm of all gradients together (null: not clipped).
    `precision` bf16 is autocast of the forward pass, on a GPU or a CPU (where it is rarely faster); auto is bf16 on a GPU that supports it,
    and float32 elsewhere. `channels_last` is the memory layout of image batches: the same computation with other rounding, so it is part of
    the key. With `horizontal_flip` images are mirrored at random. With `crop_padding` they are padded with so many black pixels on each
    side and cropped at random to their own size, which moves them by at most so many pixels (null: not cropped). The other augmentations
    are in `workers.train.augment` (images: `cutout`, `augmentation`; waveforms: `time_shift`, `background_noise`, `spectrogram_masks`) and
    `workers.train.mixing`.

    Adversarial training replaces each batch by adversarial examples (see `workers.train.adversary`): `adversarial_epsilon`, exact
    fractions in input units, and `adversarial_steps` are the ranges that a batch's epsilon and number of steps are drawn from;
    `adversarial_stepsize` is in units of epsilon / steps; `adversarial_alpha` is r_fgsm's random step as a share of epsilon,
    `adversarial_noise` n_fgsm's in units of epsilon. `adversarial_norm` is that of pgd's ball, `adversarial_loss` what it maximises.
    The default ranges end at the paper's attacks with epsilon 2/255 (2 steps) and 8/255 (10 steps).

    `gradient_alignment` is the weight of GradAlign (see `workers.train.regularisers`), under adversarial training.
    `weight_perturbation` is the size of the adversarial perturbation of the weights, relative to theirs (0: none), from the share
    `weight_perturbation_from` of the epochs on (see `workers.train.regularisers`). `weight_average` says which weights the trained
    model has (see `workers.train.chosen_weights`): the last ones, their moving average of `ema_decay` a step, or the mean of the last
    epochs from the share `average_from` of them on (`swa`). A `checkpoint` other than the last is the one whose epoch was best on what is
    held out for validation: by accuracy under PGD of 10 steps where training is adversarial, else by clean accuracy.
    """

    registry: ClassVar = LOSSES
    named_by: ClassVar = "loss"

    loss: str = "cross_entropy"
    recipe: Recipe = "custom"
    epochs: Index
    batch_size: Count = 128
    optimizer: Optimizer = "sgd"
    learning_rate: Positive = 0.1
    momentum: Share = 0.9
    nesterov: bool = False
    weight_decay: NonNegative = 5e-4
    schedule: Schedule = "one_cycle"
    milestones: Milestones = (150 / 350, 250 / 350)
    gamma: Factor = 0.1
    clip_norm: Positive | None = None
    precision: Precision = "float32"
    channels_last: bool = True
    horizontal_flip: bool = False
    crop_padding: Count | None = None
    cutout: Count | None = None
    augmentation: Augmentation = "none"
    mixing: Mixing = "none"
    mixing_alpha: Positive = 1.0
    time_shift: ShareBelowOne = 0.0
    background_noise: NonNegative = 0.0
    spectrogram_masks: ShareBelowOne = 0.0
    adversarial_training: AdversarialTraining = "none"
    adversarial_epsilon: EpsilonRange = ("2/255", "8/255")
    adversarial_steps: CountRange = (2, 10)
    adversarial_stepsize: Positive = 2.5
    adversarial_alpha: ShareBelowOne = 0.5
    adversarial_norm: NormName = "linf"
    adversarial_loss: AdversarialLoss = "ce"
    adversarial_noise: Positive = 2.0
    gradient_alignment: NonNegative = 0.0
    weight_perturbation: NonNegative = 0.0
    weight_perturbation_from: ShareBelowOne = 0.0
    warm_up: ShareBelowOne | None = None
    weight_average: WeightAveraging = "none"
    ema_decay: ShareBelowOne = 0.995
    average_from: ShareBelowOne = 0.5
    checkpoint: CheckpointName = "last"


UNTRAINED = TrainingSpec(epochs=0)
"""The training of a network whose weights come from elsewhere."""
