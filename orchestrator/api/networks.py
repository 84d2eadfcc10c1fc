"""One network by hand, in a notebook: its tensorized copy, and attacks on it."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from torch import Tensor, nn

from search_spaces import AttackGroup
from search_spaces.file.problems import described
from workers.attacks.engine import attack_of, check_examples
from workers.components.facts import DatasetInfo
from workers.errors import UserError
from workers.layers import LatentSketch
from workers.layers.latent import LatentKernel
from workers.models.network.network import Network
from workers.models.network.tensorize import Tensorization
from workers.models.network.tensorize import tensorize as convert
from workers.registry import ATTACKS
from workers.spec.attack import AttackSettings, selects
from workers.spec.fields import Factorization, NormName, Randomness, RankKind, positive_fraction

if TYPE_CHECKING:
    from collections.abc import Sequence

_SELECTION_DRAWS = AttackGroup.model_fields["selection_draws"].default[0]


def tensorize(  # noqa: PLR0913 (each is a setting)
    network: nn.Module,
    *,
    theta: float = 1.0,
    rank: float = 1.0,
    seed: int = 0,
    input_shape: "Sequence[int] | None" = None,
    rank_kind: RankKind = "channels",
    factorization: Factorization = "tucker",
    init: Literal["decompose", "random"] = "decompose",
    first: bool = False,
    linear: bool = False,
    attention: bool = False,
    transposed: bool = False,
    rescale: bool = True,
    draws: Literal["batch", "example"] = "batch",
) -> Network:
    """Return a copy of a network with its convolutions in factors, their latent randomly sketched (defensive tensorization).

    With `theta` 1 and `rank` 1 its outputs are those of `network`, up to rounding. With `theta` below 1 every forward pass draws, in
    train and in eval mode, from a generator that `.seed(n)` sets anew (do so after `.to(device)`); `.full_weights()` is a context
    without sketch, `.ranks()` are the resolved ranks. Grouped convolutions stay dense.

    Args:
        network: any network of PyTorch's own layers; not changed.
        theta: probability in (0, 1] to keep a component of the latent.
        rank: share in (0, 1] of each layer's full rank.
        seed: of the sketch's draws, and with `init` random of the weights.
        input_shape: of one example; with it each layer gets the cheaper way to compute it.
        rank_kind: what `rank` is a share of, see `resolve_rank`.
        factorization: `tucker`, `cp` or `tt` (tensor train).
        init: `decompose` takes the network's weights, `random` draws new ones.
        first: tensorize the first convolution too.
        linear: tensorize linear layers too.
        attention: tensorize the projections of `nn.MultiheadAttention` too.
        transposed: tensorize transposed convolutions too.
        rescale: keep the expected weights at the full ones.
        draws: one draw for each `batch`, or one for each `example`.

    Raises:
        UserError: a setting is out of range, or the network has no layer to tensorize, or is tensorized already.
    """
    if not 0 < rank <= 1:
        raise UserError(f"rank={rank}: must be in (0, 1]")
    body = copy.deepcopy(network).cpu()
    try:
        sketch = LatentSketch(theta=theta, rescale=rescale, draws=draws)
    except ValueError as error:
        raise UserError(str(error)) from None
    kinds: dict[str, Any] = {"first": first, "linear": linear, "attention": attention, "transposed": transposed}
    form: dict[str, Any] = {"rank_fraction": rank, "rank_kind": rank_kind, "factorization": factorization}
    settings = Tensorization(grouped="keep", init=init, **form, **kinds)
    layers = convert(body, settings, sketch=sketch, input_shape=input_shape)
    if not layers and any(isinstance(module, LatentKernel) for module in network.modules()):
        raise UserError(f"{type(network).__name__}: is tensorized already; take the dense network")
    if not layers:
        raise UserError(
            f"{type(network).__name__}: has no layer to tensorize with {', '.join(f'{kind}={value}' for kind, value in kinds.items())}"
        )
    if init == "random":
        generator = torch.Generator().manual_seed(seed)
        for layer in layers.values():
            layer.kernel.initialise(generator)
    dimensions = 1 if any(isinstance(module, nn.Conv1d) for module in network.modules()) else 2
    info = DatasetInfo(n_classes=1, shape=(1,) * (dimensions + 1), mean=(0.0,), std=(1.0,))
    made = Network(body, sketch=sketch, info=info).train(network.training).to(_device(network))
    made.seed(seed)
    return made


def attacked(  # noqa: PLR0913 (each is a setting)
    network: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    attack: str,
    *,
    epsilon: str | float,
    norm: NormName | None = None,
    seed: int = 0,
    bounds: tuple[float, float] = (0.0, 1.0),
    batch_size: int = 256,
    **settings: Any,
) -> Tensor:
    """Return adversarial examples of a network, (batch, *shape), within `epsilon` of the inputs and within `bounds`.

    The network is attacked in eval mode; its mode and gradients are afterwards as before. Of one that draws, the examples are those of
    an attacker who meets fresh draws; measure them under fresh draws too.

    Args:
        network: from inputs (batch, *shape) within `bounds` to logits (batch, n_classes).
        inputs: clean examples; not changed.
        labels: true classes, (batch,).
        attack: its name, as in a space: `pgd`.
        epsilon: in input units: `"8/255"` or a number.
        norm: `linf` or `l2`; None is `linf` where the attack has that.
        seed: of everything that the attack, and a randomised network of ours, draws.
        bounds: smallest and largest legal input value.
        batch_size: number of examples in memory at once.
        settings: the attack's own (`steps`), and `restarts`, `target`, `eot_samples`, ...; defaults are those of a space.

    Raises:
        UserError: no such attack or setting, or inputs outside of the bounds.
    """
    randomness = network.randomness if isinstance(network, Network) else "none"
    asked = _settings(attack, epsilon, norm, randomness, settings)
    low, high = bounds
    if len(inputs) and not (low <= float(inputs.min()) and float(inputs.max()) <= high):
        raise UserError(f"inputs: from {float(inputs.min()):g} to {float(inputs.max()):g}; must be within bounds={bounds}")
    if len(inputs) != len(labels):
        raise UserError(f"labels: {len(labels)} for {len(inputs)} inputs")
    generator = torch.Generator(inputs.device).manual_seed(seed)
    if isinstance(network, Network):
        network.seed(seed)
    run, found = attack_of(asked), []
    with _frozen(network):
        for start in range(0, len(inputs), batch_size):
            place = slice(start, start + batch_size)
            batch = inputs[place].detach()
            points = run(network, batch, labels[place], settings=asked, generator=generator, bounds=bounds, randomness=randomness)
            check_examples(points, batch, epsilon=asked.epsilon, bounds=bounds, norm=asked.norm)
            found.append(points)
    return torch.cat(found) if found else inputs.clone()


def _settings(attack: str, epsilon: str | float, norm: NormName | None, randomness: Randomness, given: dict[str, Any]) -> AttackSettings:
    literal = str(epsilon)
    try:
        ball = {"norm": norm or _own_norm(attack), "epsilon": float(positive_fraction(literal)), "epsilon_literal": literal}
    except ValueError as error:
        raise UserError(f"epsilon={literal}: {error}") from None
    try:
        asked = AttackSettings.model_validate({"name": attack, **ball, **given})
        if randomness != "none" and "selection_draws" not in given and selects(asked.facts, target=asked.target, restarts=asked.restarts):
            asked = AttackSettings.model_validate({"name": attack, **ball, "selection_draws": _SELECTION_DRAWS, **given})
    except ValidationError as error:
        raise UserError(_complaint(attack, error.errors()[0])) from None
    return asked


def _own_norm(attack: str) -> str:
    """The norm of an attack where none is said; linf of one that there is not, which is found out with its settings."""
    found = ATTACKS.find(attack)
    return "linf" if found is None else found.facts.own_norm


def _complaint(attack: str, error: ErrorDetails) -> str:
    """Describe what is wrong with the settings of an attack."""
    if error["type"] == "extra_forbidden":
        own = ATTACKS[attack].settings.model_fields
        legal = [*own, *(name for name in AttackSettings.model_fields if name not in ("name", "settings", "epsilon_literal"))]
        return f"attack {attack}: no setting '{error['loc'][-1]}'; one of {', '.join(legal)}"
    said = described(error, error["loc"])
    return said if said.startswith("attack ") else f"attack {attack}: {said}"


def _device(network: nn.Module) -> torch.device:
    return next((parameter.device for parameter in network.parameters()), torch.device("cpu"))


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Inside, the network is in eval mode and its parameters take no gradients."""
    modes = {module: module.training for module in network.modules()}
    wanted = [parameter for parameter in network.parameters() if parameter.requires_grad]
    network.eval()
    for parameter in wanted:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for parameter in wanted:
            parameter.requires_grad_(True)
