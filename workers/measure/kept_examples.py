"""Attacked examples that are kept to be looked at, with what the network makes of them."""

import torch
from torch import Tensor

from workers.data.loading.device_split import DeviceSplit
from workers.models.network import Network

Kept = dict[str, Tensor]
"""Tensors on the CPU: `clean` and `adversarial` examples, (kept, *shape) in input units, their `labels` and `places` among the test
examples in the order of evaluation, (kept,), and the class probabilities of each, `clean_probabilities` and `probabilities`,
(kept, n_classes): the mean over some forward passes."""


def kept_examples(
    network: Network, data: DeviceSplit, adversarial: Tensor, *, places: Tensor, batch_size: int, draws: int, seed: int
) -> Kept:
    """Return the first examples of `data` as they were attacked, with what the network gives for them.

    Args:
        network: in eval mode; its draws start anew from `seed`, so that what was measured before stays as it is.
        data: the attacked examples, on the network's device.
        adversarial: what the attack made of the first of them, (kept, *shape).
        places: of the kept ones among all test examples, (kept,).
        batch_size: examples of a forward pass.
        draws: forward passes over which probabilities are averaged.
        seed: of the network's draws.
    """
    clean, labels = data.batch(slice(0, len(adversarial)))
    network.seed(seed)
    given = {"clean_probabilities": clean, "probabilities": adversarial.to(clean.device)}
    found = {name: _probabilities(network, inputs, batch_size=batch_size, draws=draws) for name, inputs in given.items()}
    kept = {"clean": clean, "adversarial": adversarial, "labels": labels, "places": places}
    return {name: tensor.cpu().contiguous() for name, tensor in (kept | found).items()}


@torch.no_grad()
def _probabilities(network: Network, inputs: Tensor, *, batch_size: int, draws: int) -> Tensor:
    parts = []
    for batch in inputs.split(batch_size):
        passes = torch.stack([network(batch).softmax(dim=1) for _ in range(draws)])
        parts.append(passes.mean(dim=0))
    return torch.cat(parts)
