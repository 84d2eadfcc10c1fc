"""Contents of a bundle: the claim, the network, and the outcome of every attack, as `bundle.json` has them. Imports no torch."""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from orchestrator.statistics.intervals import ConfidenceInterval, accuracy_interval
from orchestrator.statistics.shared_luck import SharedDraws
from orchestrator.statistics.worst_case import Flags, Scores, ordered_scores, worst_case
from workers.artifacts.outcomes import Environment, FlagsOutcome
from workers.components.facts import DatasetInfo
from workers.components.settings import Frozen
from workers.errors import UserError
from workers.spec.fields import ExampleOrder, Knowledge, NormName
from workers.spec.stage_specs import AttackSpec, TrainSpec

FORMAT_VERSION: Literal[1] = 1
CONTENTS, EXAMPLES, MODEL = "bundle.json", "examples.safetensors", "model.safetensors"
FILE_NAME = re.compile(r"[a-z0-9_-]{1,60}\.safetensors")
_FileName = Annotated[str, Field(pattern=rf"^{FILE_NAME.pattern}$")]
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Share = Annotated[float, Field(ge=0, le=1)]


class Claim(Frozen):
    """Claim of a bundle: accuracies over its examples, shares in [0, 1]; the robust one is that under the most harmful attack on each
    example, with its 95 % interval. `verdict` is what the audit said, for the reader: nothing recomputes it."""

    norm: NormName
    epsilon: float
    epsilon_literal: str
    n_examples: Annotated[int, Field(ge=1)]
    clean_accuracy: _Share
    robust_accuracy: _Share
    ci_low: _Share
    ci_high: _Share
    verdict: str | None = None
    reasons: list[str] = []


class Weights(Frozen):
    """Digests of the network's weights, over tensors and not over a file's bytes: those of the bare network, `body`, and those of the
    file that it was `adopted` from (None: it was trained here)."""

    body: _Sha256
    adopted: _Sha256 | None = None


class BundledAttack(Frozen):
    """One attack in one repeat: its job's key and spec, its outcome on all examples, and the `file` of what it made of those that it
    attacked (None: it attacked none itself)."""

    key: _Sha256
    spec: AttackSpec
    outcome: FlagsOutcome
    file: _FileName | None = None


class Contents(Frozen):
    """Everything in a bundle but its arrays.

    `model` and `data_info` are what the network is built of, `code` the digests of a user's code in it. The examples are the first of
    an `order` of the data set's test split. `clean` are the outcomes without attack, one for each repeat. `files` are the SHA-256 of the
    archive's other files.
    """

    format_version: Literal[1]
    robustsweep: str
    claim: Claim
    model: TrainSpec
    randomised: bool
    data_info: DatasetInfo
    code: dict[str, str]
    weights: Weights
    order: ExampleOrder
    clean: Annotated[list[FlagsOutcome], Field(min_length=1)]
    attacks: Annotated[list[BundledAttack], Field(min_length=1)]
    environments: list[Environment]
    files: dict[_FileName, _Sha256]


def clean_interval(clean: Sequence[FlagsOutcome], *, batch: int) -> ConfidenceInterval:
    """Return the clean accuracy of some repeats with its 95 % interval."""
    return accuracy_interval(np.stack([outcome.correct() for outcome in clean]), SharedDraws(batch=batch))


def robust_interval(attacks: Iterable[BundledAttack], *, batch: int, randomised: bool) -> ConfidenceInterval:
    """Return the accuracy under the most harmful attack on each example, with its 95 % interval: as the results' worst case over attackers
    of any knowledge.

    Raises:
        UserError: a randomised network was evaluated too rarely.
    """
    groups: defaultdict[tuple[Knowledge, Hashable], list[Flags]] = defaultdict(list)
    for attack in attacks:
        alike = attack.spec.model_copy(update={"repeat": 0}).model_dump_json()
        groups[attack.spec.knowledge, alike].append(attack.outcome.correct())
    flags: defaultdict[Knowledge, list[Flags]] = defaultdict(list)
    for (knowledge, _), repeats in groups.items():
        flags[knowledge].append(np.stack(repeats))
    scores = worst_case([found for of_knowledge in flags.values() for found in of_knowledge], randomised=randomised)
    if scores is None:
        raise UserError("too few draws to choose the worst attack of each example: 1; at least 2 (evaluation.draws)")
    if randomised and len(flags) > 1:
        scores = _not_above_parts(scores, flags)
    return accuracy_interval(scores, SharedDraws(batch=batch, crafted=True))


def _not_above_parts(whole: Scores, flags: dict[Knowledge, list[Flags]]) -> Scores:
    parts = {word: (scores, len(of)) for word, of in flags.items() if (scores := worst_case(of, randomised=True)) is not None}
    return ordered_scores(whole, {str(word): part for word, part in parts.items()})[0]
