"""Checks that a network behaves as every measurement supposes: what it gives in eval mode depends on its inputs and its weights alone."""

import torch
from torch import Tensor

from workers.components.facts import DatasetInfo
from workers.errors import JobError, first_line
from workers.models.network.network import Network

_EXAMPLES, _ROUNDING = 2, 1e-2


@torch.no_grad()
def require_sound(network: Network, info: DatasetInfo, *, name: str) -> None:
    """Compare two passes of a network in eval mode, its own sketch and defence switched off; it is left as it was, in the mode it was in.

    Args:
        network: on the CPU; nothing of its state or of PyTorch's global generator is changed.
        info: the data set's; the passes are over random inputs within its bounds.
        name: of the network, for messages.

    Raises:
        JobError: the logits have another shape, or are not finite; or, unless the network is declared randomised, its passes differ,
            draw from PyTorch's global generator, or change its state.
    """
    was_training, device = network.training, network.mean.device
    generator = torch.Generator().manual_seed(0)
    inputs = info.low + (info.high - info.low) * torch.rand((_EXAMPLES, *info.shape), generator=generator).to(device)
    before = torch.get_rng_state()
    state = {key: value.clone() for key, value in network.state_dict().items()}
    network.eval()
    try:
        with network.full_weights():
            first = _logits(network, inputs, info, name)
            drew = not torch.equal(torch.get_rng_state(), before)
            second = _logits(network, inputs, info, name)
            alone = network(inputs[:1])
        changed = [key for key, value in network.state_dict().items() if not torch.equal(value, state[key])]
    finally:
        network.train(was_training)
        torch.set_rng_state(before)
    if not network.randomised_body:
        _require_same(first, second, drew=drew, changed=changed, name=name)
        if network.signs is None and network.defence.name == "none":  # rounding, which batches differ in, decides a sign or a level
            _require_independent(first[:1], alone, name=name)


def _logits(network: Network, inputs: Tensor, info: DatasetInfo, name: str) -> Tensor:
    expected = (len(inputs), info.n_classes)
    try:
        found: object = network(inputs)
    except Exception as error:
        shape = "x".join(map(str, info.shape))
        raise JobError(f"model {name}: its forward pass fails on inputs of {shape}: {type(error).__name__}: {first_line(error)}") from error
    return require_logits(found, expected, named=f"model {name}")


def require_logits(found: object, expected: tuple[int, int], *, named: str) -> Tensor:
    """Return what a network gave for a batch, if it is logits.

    Args:
        found: anything.
        expected: their shape, (batch, n_classes).
        named: what gave it, for messages.

    Raises:
        JobError: it is no tensor of that shape, or not finite.
    """
    if not isinstance(found, Tensor):
        raise JobError(f"{named}: gives a {type(found).__name__}: must be logits, a tensor of shape {expected}")
    if tuple(found.shape) != expected:
        raise JobError(f"{named}: logits of shape {tuple(found.shape)}: must be {expected}, a row an example, a column a class")
    if not found.isfinite().all():
        raise JobError(f"{named}: its logits are not finite")
    return found


def _require_same(first: Tensor, second: Tensor, *, drew: bool, changed: list[str], name: str) -> None:
    if drew:
        raise JobError(
            f"model {name}: its forward pass draws from PyTorch's global generator in eval mode (a dropout that stays live?); "
            "nothing measured of it could be repeated; state randomised=True where it is meant to"
        )
    if changed:
        names = ", ".join(key.removeprefix("body.") for key in changed[:3])
        raise JobError(f"model {name}: its forward pass changes its state in eval mode ({names}); each result would depend on those before")
    if not torch.equal(first, second):
        difference = float((first - second).abs().max())
        raise JobError(
            f"model {name}: two passes on the same inputs in eval mode differ (by {difference:.3g}): it draws at random or keeps something "
            "between calls; state randomised=True where it is meant to"
        )


def _require_independent(together: Tensor, alone: Tensor, *, name: str) -> None:
    largest = float(together.abs().max())
    if float((together - alone).abs().max()) > _ROUNDING * max(largest, 1.0):
        raise JobError(
            f"model {name}: an example's logits depend on the others of its batch in eval mode (batch statistics without running ones?)"
        )
