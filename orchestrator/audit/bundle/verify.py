"""Verification of a bundle: whether its claim stands, by what it holds and by what its network does on random examples of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from orchestrator.api.in_memory import register_network
from orchestrator.audit.bundle.bundle import Bundle, contradiction, read_bundle
from orchestrator.audit.bundle.contents import CONTENTS, Claim
from orchestrator.audit.bundle.recompute import OtherWeightsError, Recomputation, network_of, recomputed
from orchestrator.statistics.differences import paired_difference
from orchestrator.statistics.shared_luck import SharedDraws
from workers.errors import UserError
from workers.runtime.environment import package_versions

if TYPE_CHECKING:
    from torch import nn

_ALARMS = 0.01
"""Probability that any of the comparisons calls a true claim of a randomised network wrong."""
_ROUNDING = 1e-3
"""Margins below this share of the largest one may be due to the rounding of another machine."""
_DIGITS = 12
_COMPUTING = ("torch", "torchvision", "torchaudio", "timm")


@dataclass(frozen=True)
class Verification:
    """Outcome of a verification: `stands` tells if the claim does, `reason` why, and `notes` what else should be known."""

    path: Path
    digest: str
    claim: Claim
    stands: bool
    reason: str
    notes: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The outcome in one line."""
        if not self.stands:
            return f"{self.path}: the claim does not stand: {self.reason}"
        claim = self.claim
        said = (
            f"of {claim.n_examples} examples {100 * claim.clean_accuracy:.1f} % are right, and at most {100 * claim.robust_accuracy:.1f} %"
        )
        return f"{self.path}: the claim stands: {said} within {claim.norm} {claim.epsilon_literal}; {self.reason}"

    def __repr__(self) -> str:
        return "\n".join([self.line, *self.notes])


def verify(
    file: str | Path,
    *,
    weights: str | Path | None = None,
    examples: int = 100,
    network: "nn.Module | None" = None,
    seed: int | None = None,
) -> Verification:
    """Find out if the claim of a bundle stands: that it is unchanged and does not contradict itself, that every adversarial example lies
    within its ball and the bounds, and that its network does on random examples what is said of them.

    It attacks nothing: that no stronger attack exists is not what a bundle claims.

    Args:
        file: the bundle.
        weights: a state dict to use in place of the weights in the bundle; it must be that of the claim.
        examples: how many random examples are evaluated anew, clean and under each attack that was made on them.
        network: the network, where it is registered nowhere; its own weights do not matter.
        seed: of the choice of examples, and of the draws of a randomised network (None: another one each time).

    Raises:
        UserError: the bundle is none, is damaged or was changed, or its network is not known here.
    """
    if examples < 1:
        raise UserError(f"--examples {examples}: must be >= 1")
    path = Path(file).expanduser()
    bundle = read_bundle(path, prepare=None if network is None else lambda found: _register(found, network))
    stands, reason = _judged(bundle, None if weights is None else Path(weights).expanduser(), examples, seed)
    return Verification(path, bundle.archive.digest, bundle.contents.claim, stands, reason, tuple(_notes(bundle)))


def _register(contents: Mapping[str, Any], network: "nn.Module") -> None:
    try:
        name, shape = str(contents["model"]["model"]["name"]), contents["data_info"]["shape"]
        register_network(name, network, randomised=bool(contents["randomised"]), image=len(shape) > 2)  # noqa: PLR2004
    except (KeyError, TypeError) as error:
        raise UserError(f"{CONTENTS}: lacks {error}") from None


def _judged(bundle: Bundle, weights: Path | None, examples: int, seed: int | None) -> tuple[bool, str]:
    if problem := contradiction(bundle):
        return False, problem
    try:
        network = network_of(bundle, weights)
    except OtherWeightsError as error:
        return False, str(error)
    if torch.cuda.is_available():
        network.cuda()
    random = np.random.default_rng(seed)
    count = bundle.contents.claim.n_examples
    chosen = np.sort(random.choice(count, size=min(examples, count), replace=False)).astype(np.int64)
    found = list(recomputed(network, bundle, chosen, seed=int(random.integers(2**62))))
    if bundle.contents.randomised:
        return _agreement(found, len(chosen))
    return _equality(found, len(chosen))


def _equality(found: Sequence[Recomputation], examples: int) -> tuple[bool, str]:
    """Judge a deterministic network: each outcome must be the claimed one, but for what rounding decides."""
    negligible = _ROUNDING * max(float(np.abs(one.margins[np.isfinite(one.margins)]).max(initial=0)) for one in found)
    different, close = 0, 0
    first = ""
    for one in found:
        wrong = (one.found != one.claimed).any(axis=0)
        near = wrong & (np.abs(one.margins) <= negligible)
        close += int(near.sum())
        for place in (wrong & ~near).nonzero()[0]:
            different += 1
            said, is_so = ("right", "wrong") if one.claimed[:, place].all() else ("wrong", "right")
            first = first or f"{one.name}: example {one.places[place]} is said to be {said}, and is {is_so}"
    outcomes = sum(len(one.places) for one in found)
    if different:
        return False, f"{first} ({different} of {outcomes} outcomes on {examples} random examples differ)"
    rounding = f", {close} of them within rounding" if close else ""
    return True, f"{outcomes} outcomes on {examples} random examples, without and under {len(found) - 1} attacks, are as said{rounding}"


def _agreement(found: Sequence[Recomputation], examples: int) -> tuple[bool, str]:
    """Judge a randomised network: accuracies under fresh draws must be the claimed ones, up to the luck of draws."""
    confidence = 1 - _ALARMS / len(found)
    worst: tuple[float, str] = (0.0, "")
    for one in found:
        fresh = SharedDraws(crafted=len(one.claimed) == 1)  # then the luck of the single claimed draw is not seen: it is that of one more
        difference, low, high = paired_difference(one.claimed[None], one.found[None], (SharedDraws(), fresh), confidence=confidence)
        said = (
            f"{one.name}: {100 * one.claimed.mean():.1f} % are said to be right, {100 * one.found.mean():.1f} % are under fresh draws "
            f"(difference {100 * difference:+.1f} points, {100 * confidence:.1f} % interval {100 * low:+.1f} to {100 * high:+.1f}, "
            f"{examples} random examples)"
        )
        if low > 0 or high < 0:
            return False, said
        worst = max(worst, (abs(difference), said))
    return True, f"in agreement with fresh draws without and under {len(found) - 1} attacks; most different {worst[1] or 'nothing'}"


def _notes(bundle: Bundle) -> list[str]:
    here, notes = package_versions(), []
    for name in _COMPUTING:
        made = sorted({found.versions[name] for found in bundle.contents.environments if name in found.versions})
        if made and name in here and made != [here[name]]:
            notes.append(f"note: made with {name} {', '.join(made)}, verified with {here[name]}")
    model = bundle.contents.model.model
    said, own = bundle.contents.code.get(f"model {model.name}"), model.component.digest if model.is_installed else None
    if said is not None and own is not None and said != own:
        notes.append(f"note: the code of model {model.name} is not that of the bundle ({said[:_DIGITS]}, here {own[:_DIGITS]})")
    return notes
