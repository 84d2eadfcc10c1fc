"""Contents of a finished job's `result.json`. Per-example outcomes are packed bits in base64. Imports no torch."""

import base64
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter

from workers.artifacts.per_example import PerExample, Spent
from workers.components.facts import DatasetInfo
from workers.components.settings import Frozen
from workers.spec.attack import AttackSettings
from workers.spec.diagnosis import ProbeKnowledge, ProbeName


class Environment(Frozen):
    """Machine, device and package versions of a job's execution."""

    host: str
    device: str
    threads: int
    git_revision: str | None
    versions: dict[str, str]


class EpochRecord(Frozen):
    """One line of a training history; `accuracy` is the share of training examples classified correctly during the epoch (0 to 1).

    The others are measured after it on some examples (see `workers.train.watch`), None where they are not: on held-out ones, clean and
    under PGD, and under one-step adversarial training on training examples under PGD."""

    epoch: int
    loss: float
    accuracy: float
    learning_rate: float
    validation_accuracy: float | None = None
    validation_pgd_accuracy: float | None = None
    pgd_accuracy: float | None = None

    @property
    def is_overfitted(self) -> bool:
        """True for catastrophic overfitting: PGD leaves less than half of the accuracy under the training's own one-step attack."""
        return self.pgd_accuracy is not None and self.pgd_accuracy < self.accuracy / 2


class BatchRecord(Frozen):
    """Progress of a job through its examples: `done` of `total`, of which an earlier attempt had done `before`."""

    done: int
    total: int
    before: int = 0


class TrainOutcome(Frozen):
    """A trained model: its history (empty where only a defence was put around it), the Tucker rank of each tensorized layer and its
    number of trainable parameters. `resumed` is the key of the rung whose training it continued, if any: the first epochs of the
    history are then that rung's. `data_info` is that of its data set (None in results of earlier versions).
    `best_epoch` is the one that was best on the validation split, None without one."""

    kind: Literal["train"] = "train"
    history: list[EpochRecord]
    ranks: dict[str, list[int]]
    n_parameters: int
    resumed: str | None = None
    data_info: DatasetInfo | None = None
    best_epoch: int | None = None


class FlagsOutcome(Frozen):
    """One flag per draw and evaluated test example, in the data set's fixed order: classified correctly (after the attack, if any).

    `flags` is base64 of `numpy.packbits`, draw by draw; the accuracy is over all evaluated examples and draws. `metrics` are those of
    attacked examples by name; None where no example has a value. `examples` are numbers of each example, and `spent` is what the
    attack cost, its crafting included; None in results of older versions, `spent` without attack too.
    """

    kind: Literal["flags"] = "flags"
    n_examples: int
    draws: int = 1
    flags: str
    metrics: dict[str, float | None] = {}
    examples: PerExample | None = None
    spent: Spent | None = None

    @classmethod
    def pack(
        cls,
        correct: Sequence[bool] | NDArray[np.bool_],
        *,
        metrics: dict[str, float | None] | None = None,
        examples: PerExample | None = None,
        spent: Spent | None = None,
    ) -> "FlagsOutcome":
        """Return the outcome of flags (draws, n_examples), or (n_examples,) of a single draw."""
        bits = np.atleast_2d(np.asarray(correct, dtype=bool))
        draws, n_examples = bits.shape
        packed = base64.b64encode(np.packbits(bits, axis=1).tobytes()).decode()
        return cls(n_examples=n_examples, draws=draws, flags=packed, metrics=metrics or {}, examples=examples, spent=spent)

    def packed(self) -> bytes:
        """Return the flags as packed bits, most significant bit first, each draw's padded with zeros to whole bytes."""
        return base64.b64decode(self.flags)

    def correct(self) -> NDArray[np.bool_]:
        """Return the flags as a boolean array of shape (draws, n_examples)."""
        return unpack_flags(self.packed(), n_examples=self.n_examples, draws=self.draws)

    @property
    def n_correct(self) -> int:
        """Number of flags that are set, over all draws."""
        return int(self.correct().sum())

    @property
    def accuracy(self) -> float:
        """Share of flags that are set."""
        return self.n_correct / (self.draws * self.n_examples)


class CraftOutcome(Frozen):
    """Outcome of crafting: examples in `examples.safetensors`; `max_perturbation` is their largest distance in the attack's norm, `sizes`
    are a minimum-norm attack's, packed as in `PerExample`, and `spent` is what it cost (None in results of older versions)."""

    kind: Literal["craft"] = "craft"
    n_examples: int
    max_perturbation: float
    sizes: str = ""
    spent: Spent | None = None


class ProbeOutcome(Frozen):
    """Outcome of one attack of a diagnosis: flags as in `FlagsOutcome`, one row for each draw. One that failed, because gradients were
    not finite, has a one-line `failure` and neither draws nor flags."""

    name: ProbeName
    attack: AttackSettings
    knowledge: ProbeKnowledge
    draws: int = 0
    n_correct: int = 0
    flags: str = ""
    failure: str = ""


class DiagnosisOutcome(Frozen):
    """Outcome of a diagnosis. `zero_gradients` and `nonfinite_gradients` are shares in [0, 1] of the examples whose input gradient of
    the cross-entropy is exactly zero in all of the diagnosis's draws, or has values that are not finite in one of them: the larger one
    of the share at the examples themselves and of that at random points of their balls. Probes are in the order in which they were tried.
    """

    kind: Literal["diagnosis"] = "diagnosis"
    n_examples: int
    draws: int
    zero_gradients: float
    nonfinite_gradients: float
    probes: list[ProbeOutcome]


class SurfaceOutcome(Frozen):
    """A grid of losses around one test example, in the artifact's `surface.safetensors` (see `workers.measure.loss_surface`).

    `label` is the example's true class; `clean_loss` the loss at the example itself, the mean over the draws; `least_loss` and
    `greatest_loss` are over all points and draws. `l2_norms` and `linf_norms` are the lengths of the two directions, in input units.
    """

    kind: Literal["surface"] = "surface"
    label: int
    clean_loss: float
    least_loss: float
    greatest_loss: float
    l2_norms: tuple[float, float]
    linf_norms: tuple[float, float]


Outcome = TrainOutcome | FlagsOutcome | CraftOutcome | DiagnosisOutcome | SurfaceOutcome


class Result(Frozen):
    """A job's result. `files` holds the SHA-256 of each other file of the artifact; `seconds` is the wall time of the job's work.

    `peak_memory` is the most bytes of a GPU that it held; None on a CPU, and where its passes were divided to save memory."""

    key: str
    seconds: float
    peak_memory: int | None = None
    environment: Environment
    files: dict[str, str] = {}
    outcome: Annotated[Outcome, Field(discriminator="kind")]


RESULT = TypeAdapter(Result)


def unpack_flags(packed: bytes, *, n_examples: int, draws: int) -> NDArray[np.bool_]:
    """Unpack `packed` to a boolean array of shape (draws, n_examples); each draw starts at a new byte.

    Raises:
        ValueError: the length of `packed` does not match the number of flags.
    """
    flags: NDArray[np.bool_] = unpack_each([packed], n_examples=n_examples, draws=draws)[0]
    return flags


def unpack_each(packed: Sequence[bytes], *, n_examples: int, draws: int) -> NDArray[np.bool_]:
    """Unpack each of `packed` as `unpack_flags` does, to (packed, draws, n_examples): of many in a fraction of the time.

    Raises:
        ValueError: see `unpack_flags`.
    """
    a_draw = -(-n_examples // 8)
    for size in map(len, packed):
        if size != draws * a_draw:
            raise ValueError(f"{size} bytes of flags for {n_examples} examples in {draws} draws: must be {draws * a_draw}")
    rows = np.frombuffer(b"".join(packed), dtype=np.uint8).reshape(len(packed), draws, a_draw)
    return np.unpackbits(rows, axis=-1, count=n_examples).astype(bool)
