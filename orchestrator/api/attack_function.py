"""`rs.attack`: the decorator that registers an attack, and the function that runs one. Imports no torch before it runs one."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from workers import registry

if TYPE_CHECKING:
    from torch import Tensor, nn

    from workers.spec.fields import NormName

C = TypeVar("C", bound=Callable[..., Any])


@overload
def attack(create: C, /) -> C: ...
@overload
def attack(*, norms: tuple[str, ...] = ("linf",), name: str | None = None, **facts: Any) -> Callable[[C], C]: ...
@overload
def attack(
    network: "nn.Module",
    inputs: "Tensor",
    labels: "Tensor",
    attack: str,
    *,
    epsilon: str | float,
    norm: "NormName | None" = None,
    seed: int = 0,
    bounds: tuple[float, float] = (0.0, 1.0),
    batch_size: int = 256,
    **settings: Any,
) -> "Tensor": ...
def attack(*arguments: Any, **settings: Any) -> Any:
    """Attack a network, or register an attack of one's own.

    Given a network, inputs, labels and an attack's name it returns adversarial examples, (batch, *shape), within `epsilon` of the inputs:

        points = rs.attack(net, x, y, "pgd", epsilon="8/255", steps=10)

    Its keywords are those of `rs.attacked`, of which it is the shorter name. As a decorator, bare or with facts, it registers a function:

        @rs.attack(norms=("linf",), random_start=True)
        def salt(logits, inputs, labels, *, epsilon, bounds, generator, share: float = 1.0): ...

    Its keywords are then those of `AttackFacts`, and `name`.

    Raises:
        UserError: no such attack or setting, or inputs outside of the bounds.
        TypeError: an argument is missing, or not one of them.
    """
    if len(arguments) > 1 or _is_network(*arguments):
        from orchestrator.api.networks import attacked

        return attacked(*arguments, **settings)
    return registry.attack(*arguments, **settings)


def _is_network(value: object = None) -> bool:
    """True for a module of PyTorch; a class of one is none."""
    return any(f"{kind.__module__}.{kind.__qualname__}" == "torch.nn.modules.module.Module" for kind in type(value).__mro__)
