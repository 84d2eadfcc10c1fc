"""A bundle with its arrays, read from a file and checked for what can be checked without the network."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from orchestrator.audit.bundle.archive import Archive, NamedArrays, read_archive
from orchestrator.audit.bundle.contents import CONTENTS, EXAMPLES, MODEL, BundledAttack, Contents, clean_interval, robust_interval
from orchestrator.naming.names import job_description
from orchestrator.report.examples.renderings import Array
from workers.attacks.engine import check_examples
from workers.data.loading.parts import Places
from workers.errors import JobError, UserError
from workers.spec.attack import parts
from workers.spec.component import STORED

_SAME = 1e-9
_TO_THE_EDGE = 0.6
"""Share of its ball's radius (of half the input range, if that is less) that at least one adversarial example goes."""


@dataclass(frozen=True)
class Adversarial:
    """Points of an attack for the examples that it was given: `examples`, (count, *shape), and their `places` among all, (count,)."""

    attack: BundledAttack
    examples: Array
    places: Places

    @property
    def name(self) -> str:
        return _named(self.attack)


@dataclass(frozen=True)
class Bundle:
    """A bundle: its archive, its contents, and the `clean` examples, (n, *shape) in input units, their `labels`, (n,), and what attacks
    made of them."""

    archive: Archive
    contents: Contents
    clean: Array
    labels: Places
    adversarial: tuple[Adversarial, ...]

    @property
    def batch_size(self) -> int:
        """Number of examples that shared a draw."""
        return self.contents.attacks[0].spec.evaluation.batch_size


def read_bundle(path: Path, *, prepare: Callable[[Mapping[str, Any]], None] | None = None) -> Bundle:
    """Read a bundle.

    Args:
        path: the file.
        prepare: called with `bundle.json` as plain data, before it is looked at.

    Raises:
        UserError: it is none, or damaged, or was changed; one line says what is wrong.
    """
    archive = read_archive(path)
    if prepare is not None:
        prepare(archive.contents)
    try:
        contents = Contents.model_validate_json(json.dumps(archive.contents), context=STORED)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{path}: {CONTENTS}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if not {EXAMPLES, MODEL} <= set(archive.files):
        raise UserError(f"{path}: lacks {EXAMPLES} or {MODEL}")
    found = archive.arrays(EXAMPLES)
    count, shape = contents.claim.n_examples, contents.data_info.shape
    clean, labels = _taken(archive, EXAMPLES, found, "clean", (count, *shape)), _integers(archive, EXAMPLES, found, "labels", count)
    if labels.min() < 0 or labels.max() >= contents.data_info.n_classes:
        raise UserError(f"{path}: {EXAMPLES} has labels outside [0, {contents.data_info.n_classes - 1}]")
    return Bundle(archive, contents, clean, labels, tuple(_adversarial(archive, contents)))


def _named(attack: BundledAttack) -> str:
    return job_description(attack.spec.model_dump_json())


def _adversarial(archive: Archive, contents: Contents) -> Iterator[Adversarial]:
    count = contents.claim.n_examples
    for outcome in (*contents.clean, *(attack.outcome for attack in contents.attacks)):
        try:
            sizes = outcome.correct().shape
        except ValueError as error:
            raise UserError(f"{archive.path}: {error}") from None
        if sizes[1] != count:
            raise UserError(f"{archive.path}: outcomes of {sizes[1]} examples, the claim is over {count}")
    for attack in contents.attacks:
        if attack.file is None:
            continue
        if attack.file not in archive.files:
            raise UserError(f"{archive.path}: lacks {attack.file}")
        found = archive.arrays(attack.file)
        given = len(found.get("places", ()))
        places = _integers(archive, attack.file, found, "places", given)
        if given and (places[0] < 0 or places[-1] >= count or (np.diff(places) <= 0).any()):
            raise UserError(f"{archive.path}: {attack.file}: places must ascend within [0, {count - 1}]")
        examples = _taken(archive, attack.file, found, "adversarial", (given, *contents.data_info.shape))
        yield Adversarial(attack, examples, places)


def _taken(archive: Archive, file: str, found: NamedArrays, name: str, shape: tuple[int, ...]) -> Array:
    values: NDArray[Any] | None = found.get(name)
    if values is None or values.shape != shape or values.dtype != np.float32:
        held = "is missing" if values is None else f"is {values.dtype} of shape {values.shape}"
        raise UserError(f"{archive.path}: {file}: {name} {held}; must be float32 of shape {shape}")
    return values


def _integers(archive: Archive, file: str, found: NamedArrays, name: str, count: int) -> Places:
    values: NDArray[Any] | None = found.get(name)
    if values is None or values.shape != (count,) or values.dtype != np.int64:
        raise UserError(f"{archive.path}: {file}: {name} must be {count} integers of 64 bits")
    return values


def contradiction(bundle: Bundle) -> str | None:
    """Describe in what the bundle contradicts itself, as far as that shows without the network; None where it does not."""
    contents, claim = bundle.contents, bundle.contents.claim
    farthest = 0.0
    for adversarial in bundle.adversarial:
        try:
            farthest = max(farthest, _distance(bundle, adversarial))
        except JobError as error:
            return f"{adversarial.name}: {error}"
    others = [found for found in contents.attacks if (found.spec.attack.norm, found.spec.attack.epsilon) != (claim.norm, claim.epsilon)]
    if others:
        attack = others[0].spec.attack
        return f"{_named(others[0])} has the ball {attack.norm} {attack.epsilon:g}, the claim {claim.norm} {claim.epsilon:g}"
    return _other_numbers(bundle) or _unsupported(bundle) or _unmade(bundle) or _unused(bundle, farthest)


def _distance(bundle: Bundle, adversarial: Adversarial) -> float:
    """Return the largest distance of an attack's examples from their inputs; 0 where there are none.

    Raises:
        JobError: one lies outside the ball or the input range.
    """
    if not len(adversarial.places):
        return 0.0
    info, attack = bundle.contents.data_info, adversarial.attack.spec.attack
    made, clean = torch.from_numpy(adversarial.examples), torch.from_numpy(bundle.clean[adversarial.places])
    return check_examples(made, clean, epsilon=attack.epsilon, bounds=(info.low, info.high), norm=attack.norm)


def _other_numbers(bundle: Bundle) -> str | None:
    contents, claim = bundle.contents, bundle.contents.claim
    clean, *_ = clean_interval(contents.clean, batch=bundle.batch_size)
    robust = robust_interval(contents.attacks, batch=bundle.batch_size, randomised=contents.randomised)
    said = {"clean accuracy": (claim.clean_accuracy, clean), "robust accuracy": (claim.robust_accuracy, robust[0])}
    said |= {"95 % interval's lower end": (claim.ci_low, robust[1]), "95 % interval's upper end": (claim.ci_high, robust[2])}
    for what, (claimed, found) in said.items():
        if abs(claimed - found) > _SAME:
            return f"the {what} is said to be {100 * claimed:.2f} %, the outcomes in the bundle give {100 * found:.2f} %"
    return None


def _unsupported(bundle: Bundle) -> str | None:
    """Find an example of a deterministic network that counts as fooled, and for which no example that fools it is there."""
    if bundle.contents.randomised:
        return None
    right = np.logical_and.reduce([outcome.correct().all(axis=0) for outcome in bundle.contents.clean])
    fooled = ~np.logical_and.reduce([attack.outcome.correct().all(axis=0) for attack in bundle.contents.attacks])
    shown = np.zeros_like(fooled)
    for adversarial in bundle.adversarial:
        shown[adversarial.places] |= ~adversarial.attack.outcome.correct()[:, adversarial.places].all(axis=0)
    missing = (right & fooled & ~shown).nonzero()[0]
    return None if not len(missing) else f"example {missing[0]} counts as fooled, and nothing in the bundle fools it"


def _unmade(bundle: Bundle) -> str | None:
    """Find an attack on a deterministic network that counts as right what it was not given, for an attack before it had fooled that; or a
    suite that counts otherwise than its last attack."""
    if bundle.contents.randomised:
        return None
    attacks, places = bundle.contents.attacks, {found.attack.key: found.places for found in bundle.adversarial}
    for attack in attacks:
        suite, right = attack.spec.attack, attack.outcome.correct()
        if attack.file is None and suite.is_installed and suite.facts.suite:
            *before, last = parts(suite, early_stop=True)
            after, repeat = ", ".join(part.name for part in before), attack.spec.repeat
            ends = [one for one in attacks if (one.spec.attack, one.spec.after, one.spec.repeat) == (last, after, repeat)]
            if not any(np.array_equal(one.outcome.correct(), right) for one in ends):
                return f"{_named(attack)}: its outcomes are not those after its last attack, {last.name}"
        elif len(others := np.setdiff1d(np.flatnonzero(right.any(axis=0)), places.get(attack.key, ()))):
            return f"{_named(attack)}: example {others[0]} is said to be right, and was not attacked"
    return None


def _unused(bundle: Bundle, farthest: float) -> str | None:
    """Find that no adversarial example is near its ball's edge: the attacks had a smaller epsilon than is said."""
    claim, info = bundle.contents.claim, bundle.contents.data_info
    if not 0 < farthest < _TO_THE_EDGE * min(claim.epsilon, (info.high - info.low) / 2):
        return None
    ball = f"{claim.norm} {claim.epsilon_literal}"
    return f"no adversarial example lies farther than {farthest:.3g} from its input, and attacks within {ball} go to the edge"
