"""Recomputation of outcomes in a bundle: its network, on some of its examples."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load

from orchestrator.audit.bundle.bundle import Bundle
from orchestrator.audit.bundle.contents import MODEL
from orchestrator.report.examples.renderings import Array
from workers.artifacts.per_example import as_bytes, unpacked_numbers
from workers.data.loading.device_split import DeviceSplit
from workers.data.loading.parts import Places
from workers.errors import JobError, UserError, first_line
from workers.measure.evaluate import evaluated
from workers.models.network import Network, build
from workers.weights.digest import of_body
from workers.weights.file_digest import weights_digest
from workers.weights.place import PICKLED, SAFE
from workers.weights.tensors import load_into, read_tensors

_DIGITS = 12
DRAWS = 20
"""Number of fresh evaluations of each example by a randomised network."""


class OtherWeightsError(Exception):
    """The weights are not those of the claim."""


@dataclass(frozen=True)
class Recomputation:
    """Outcomes of some examples without attack, or under one: `claimed`, (draws, k), and `found` anew, (draws, k), true where the example
    is right; `margins`, (k,), are logits of the true class less the largest other one, means over draws."""

    name: str
    places: Places
    claimed: NDArray[np.bool_]
    found: NDArray[np.bool_]
    margins: NDArray[np.float64]


def network_of(bundle: Bundle, weights: Path | None) -> Network:
    """Return the network of a bundle, frozen and in eval mode, with the weights of a file, or else with those in the bundle.

    Raises:
        OtherWeightsError: they are not those of the claim.
        UserError: the network is not known here, or does not take them.
    """
    spec, claimed, path = bundle.contents.model, bundle.contents.weights, bundle.archive.path
    for part in (spec.model, spec.defence):
        if not part.is_installed:
            given = "give its code with --plugin FILE, or in Python the network: rs.verify(FILE, network=net)"
            raise UserError(f"{path}: {part.registry.kind} {part.name!r} is not known here; {given}")
    if (held := _body_digest(bundle)) != claimed.body:
        raise OtherWeightsError(f"{MODEL} holds other weights ({held[:_DIGITS]}) than those of the claim ({claimed.body[:_DIGITS]})")
    try:
        network = build(spec.model, bundle.contents.data_info, seed=0, defence=spec.defence)
        network.load_state_dict(load(bundle.archive.files[MODEL]))
        if weights is not None:
            _take(network, bundle, weights)
    except (RuntimeError, SafetensorError, JobError, ValueError) as error:
        raise UserError(f"{path}: its weights do not fit {spec.model.name} here: {first_line(error)}") from error
    return network.eval().requires_grad_(False)


def _body_digest(bundle: Bundle) -> str:
    try:
        return of_body(bundle.archive.files[MODEL])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(f"{bundle.archive.path}: {MODEL} is no safetensors file, or damaged") from None


def _take(network: Network, bundle: Bundle, weights: Path) -> None:
    claimed = bundle.contents.weights
    if weights.suffix not in (*SAFE, *PICKLED):
        raise UserError(f"--weights {weights}: must be a state dict in a file {', '.join((*SAFE, *PICKLED))}")
    digest, own = weights_digest(weights), claimed.adopted or claimed.body
    if digest not in (own, claimed.body):
        raise OtherWeightsError(f"{weights} holds other weights ({digest[:_DIGITS]}) than the claim's ({own[:_DIGITS]})")
    model = bundle.contents.model.model
    load_into(network.body, read_tensors(weights), renamed=model.weights_map, name=model.name)


def recomputed(network: Network, bundle: Bundle, chosen: Places, *, seed: int) -> Iterator[Recomputation]:
    """Yield the outcomes of the chosen examples, clean ones first, then under each attack that was made on any of them.

    Args:
        network: of the bundle.
        bundle: that is verified.
        chosen: places of the examples among all, ascending, (k,).
        seed: of the draws of a randomised network.
    """
    network.seed(seed)
    claimed = np.concatenate([outcome.correct() for outcome in bundle.contents.clean])
    yield _compared(network, bundle, "clean", bundle.clean[chosen], chosen, claimed)
    for adversarial in bundle.adversarial:
        there = np.isin(adversarial.places, chosen)
        if there.any():
            outcome = adversarial.attack.outcome.correct()
            yield _compared(network, bundle, adversarial.name, adversarial.examples[there], adversarial.places[there], outcome)


def _compared(network: Network, bundle: Bundle, name: str, inputs: Array, places: Places, claimed: NDArray[np.bool_]) -> Recomputation:
    device = network.mean.device
    data = DeviceSplit(torch.from_numpy(inputs).to(device), torch.from_numpy(bundle.labels[places]).to(device))
    with torch.random.fork_rng(devices=[]):
        found = evaluated(network, data, batch_size=bundle.batch_size, draws=DRAWS if bundle.contents.randomised else 1)
    margins = unpacked_numbers(as_bytes(found.examples.margins))
    return Recomputation(name, places, claimed[:, places], found.correct, np.zeros(len(places)) if margins is None else margins)
