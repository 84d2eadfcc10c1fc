"""Resolution of a requested rank fraction."""

import math
from collections.abc import Callable, Sequence

from workers.spec.fields import Factorization, RankKind

Rank = tuple[int, ...]


def resolve_rank(shape: Sequence[int], fraction: float, *, kind: RankKind, factorization: Factorization = "tucker") -> Rank:
    """Return the rank for `fraction` in (0, 1]: Tucker's, one integer per mode; CP's, one integer; a tensor train's, its bonds.

    Args:
        shape: the kernel's shape (filters, channels, *spatial).
        fraction: the requested share.
        kind: reference of the share.
            `channels`: of the first two dimensions, the spatial ones staying full; for CP of the larger of the two; for a tensor train
            the bonds at channels and filters, those between as wide as these need.
            `dimensions`: of each dimension; for CP of the largest rank that any kernel of this shape needs, and for a tensor train of each
            bond's: with the fraction 1 every kernel has that form exactly.
            `parameters`: of the dense kernel's number of parameters (TensorLy's `validate_tucker_rank` and `validate_cp_rank`; a tensor
            train's bonds are of one width, as far as they can be).
        factorization: the form that the kernel is stored in.
    """
    return _RULES[factorization](tuple(shape), float(fraction), kind)


def _tucker(shape: Rank, fraction: float, kind: RankKind) -> Rank:
    if kind == "parameters":
        from tensorly.tucker_tensor import validate_tucker_rank

        return tuple(min(int(r), d) for r, d in zip(validate_tucker_rank(shape, rank=fraction), shape, strict=True))
    sketched = len(shape) if kind == "dimensions" else 2
    return tuple(_share(fraction, d) if mode < sketched else d for mode, d in enumerate(shape))


def _cp(shape: Rank, fraction: float, kind: RankKind) -> Rank:
    most = math.prod(shape) // max(shape)
    if kind == "parameters":
        from tensorly.cp_tensor import validate_cp_rank

        return (min(max(1, int(validate_cp_rank(shape, rank=fraction))), most),)
    return (_share(fraction, most if kind == "dimensions" else min(most, max(shape[:2]))),)


def _train(shape: Rank, fraction: float, kind: RankKind) -> Rank:
    filters, channels, *spatial = shape
    modes = (channels, *spatial, filters)
    most = [min(math.prod(modes[:k]), math.prod(modes[k:])) for k in range(1, len(modes))]
    if kind != "parameters":
        bonds = [_share(fraction, widest) for widest in most]
        return _filled([bonds[0], *(most[1:-1] if kind == "channels" else bonds[1:-1]), *bonds[1:][-1:]], modes)
    # Bonds of one width r hold (channels + filters) r + (height + width) r^2 numbers.
    linear, squared, numbers = channels + filters, sum(spatial), fraction * math.prod(shape)
    width = (math.sqrt(linear**2 + 4 * squared * numbers) - linear) / (2 * squared) if spatial else numbers / linear
    return _filled([max(1, round(width))] * len(most), modes)


def _filled(bonds: list[int], modes: Rank) -> Rank:
    """Return the bonds, none wider than what the cores on either side of it can fill."""
    for k in range(len(bonds)):
        bonds[k] = min(bonds[k], (bonds[k - 1] if k else 1) * modes[k])
    for k in reversed(range(len(bonds))):
        bonds[k] = min(bonds[k], modes[k + 1] * (bonds[k + 1] if k + 1 < len(bonds) else 1))
    return tuple(bonds)


def _share(fraction: float, whole: float) -> int:
    return max(1, round(fraction * whole))


_RULES: dict[Factorization, Callable[[Rank, float, RankKind], Rank]] = {"cp": _cp, "tt": _train, "tucker": _tucker}
