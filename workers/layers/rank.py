"""Resolution of a requested rank fraction."""

from collections.abc import Sequence

from workers.spec.fields import RankKind


def resolve_rank(shape: Sequence[int], fraction: float, *, kind: RankKind) -> tuple[int, ...]:
    """Return the Tucker rank, one integer per mode, for `fraction` in (0, 1].

    Args:
        shape: the kernel's shape (filters, channels, *spatial).
        fraction: the requested share.
        kind: reference of the share: `channels`, of the first two dimensions, the spatial ones staying full; `dimensions`, of each
            dimension; `parameters`, of the dense kernel's number of parameters (TensorLy's `validate_tucker_rank`).
    """
    if kind == "parameters":
        from tensorly.tucker_tensor import validate_tucker_rank

        return tuple(min(int(r), d) for r, d in zip(validate_tucker_rank(tuple(shape), rank=float(fraction)), shape, strict=True))
    sketched = len(shape) if kind == "dimensions" else 2
    return tuple(max(1, round(fraction * d)) if mode < sketched else d for mode, d in enumerate(shape))
