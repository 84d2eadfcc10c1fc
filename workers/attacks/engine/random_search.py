"""Square attack (Andriushchenko et al., 2020): random search without gradients."""

from collections.abc import Callable
from math import prod
from typing import cast

import torch
from torch import Tensor

from workers.attacks.engine.norms import LinfBall
from workers.attacks.engine.problem import ActiveExamples, Problem
from workers.attacks.engine.queries import chosen_per_example, compared
from workers.errors import UserError
from workers.spec.fields import NormName

_FIRST_SHARE = 0.8
_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
_SCHEDULE = 10_000
_TILES = 5
_SMALLEST_BUMP = 3


def random_search(problem: Problem, *, queries: int, scaled: bool = True) -> Tensor:
    """The best point found, (batch, *shape), in the ball, with so many queries; the first asks about stripes (l-infinity) or bumps (l2).

    Each further query asks whether one window of each example is better at a corner of the ball (l-infinity), or with a bump of
    mass taken from another window (l2); windows shrink as the paper's schedule for 10,000 queries says, `scaled` to so many or as it
    is. An image's window is a square. A waveform's is a stretch: the same share of its length as a square has of an image's area. Each
    example has windows of its own.

    On a deterministic net a query is one evaluation, and a point that is better (see `PointQuality`) is kept. On a randomised net nothing
    is kept by one evaluation: in each query the point found so far is judged again, together with the new one, over the same
    `selection_draws` fresh draws; a query is then so many passes over both.

    Raises:
        UserError: the examples are neither waveforms (channels, length) nor images (channels, height, width).
    """
    settings = problem.settings
    if problem.inputs.ndim not in (3, 4):
        shape = tuple(problem.inputs.shape[1:])
        raise UserError(f"attack 'square' on examples of shape {shape}: they must be (channels, length) or (channels, height, width)")
    first, propose = _SEARCHES[settings.norm]
    draws = _Draws(problem)
    best = problem.ball.project_(problem.inputs + first(draws))
    (found,) = compared(problem, best)
    active = ActiveExamples.all_of(problem, best)
    for query in range(1, queries):
        if settings.early_stop and (stay := active.drop(best, found.reached)) is not None:
            if len(stay) == 0:
                return active.examples
            problem, best, found = active.problem, best[stay], found.of(stay)
        candidates = propose(draws, problem, best, active.places, window_share(query, queries=queries if scaled else _SCHEDULE))
        if problem.deterministic:
            (new,) = compared(problem, candidates)
        else:
            found, new = compared(problem, best, candidates)
        better = new.better_than(found)
        if len(chosen := better.nonzero().squeeze(1)):
            best.index_copy_(0, chosen, candidates.index_select(0, chosen))
            found = new.where(better, found)
    return active.finished(best)


def window_share(query: int, *, queries: int) -> float:
    """Return a window's share of the example: 0.8, halved at fixed fractions of the search (section 3.2 and its appendix)."""
    place = int(query / queries * _SCHEDULE)
    return _FIRST_SHARE * 0.5 ** sum(place > start for start in _HALVINGS)


class _Draws:
    """Random numbers, always drawn for the whole batch, so that an example that becomes inactive changes no other."""

    def __init__(self, problem: Problem) -> None:
        self.inputs, self.generator, self.epsilon = problem.inputs, problem.generator, problem.settings.epsilon
        self.count, self.channels, *self.sizes = problem.inputs.shape
        self._ends = torch.tensor(self.sizes, device=problem.inputs.device) + 1

    def uniform(self, *shape: int) -> Tensor:
        like = self.inputs
        return torch.rand((self.count, *shape), generator=self.generator, device=like.device, dtype=like.dtype)

    def coins(self, *shape: int) -> Tensor:
        return self.uniform(*shape) < 0.5  # noqa: PLR2004 (fair ones)

    def signs(self, *shape: int) -> Tensor:
        return self.coins(*shape).to(self.inputs.dtype).mul_(2).sub_(1)

    def signs_per_channel(self) -> Tensor:
        return self.signs(self.channels, *[1] * len(self.sizes))

    def corners(self, side: int) -> Tensor:
        """First corners of windows of this side, (batch, spatial axes), uniform over the positions where they fit."""
        rooms = self._ends - side
        return torch.minimum((self.uniform(len(self.sizes)) * rooms).long(), rooms - 1)

    def side(self, share: float) -> int:
        """Return the side of a window with that share of the example's area (or length)."""
        side: float = (share * prod(self.sizes)) ** (1 / len(self.sizes))
        return min(max(round(side), 1), *self.sizes)


def _window(corners: Tensor, *, side: int, sizes: list[int]) -> tuple[Tensor, list[Tensor]]:
    """Mask of the points in each example's window, (batch, 1, *sizes), and each point's index in it along each axis, (batch, size)."""
    inside, indices = torch.ones((), dtype=torch.bool, device=corners.device), []
    for axis, size in enumerate(sizes):
        index = torch.arange(size, device=corners.device) - corners[:, axis : axis + 1]
        shape = [len(corners), 1, *[1] * axis, size, *[1] * (len(sizes) - axis - 1)]
        inside = inside & ((index >= 0) & (index < side)).view(shape)
        indices.append(index.clamp_(0, side - 1))
    return inside, indices


def _stripes(draws: _Draws) -> Tensor:
    """Vertical stripes one pixel wide, each of a random sign per channel; in a waveform, a random sign for each point."""
    *others, last = draws.sizes
    return draws.signs(draws.channels, *[1] * len(others), last) * draws.epsilon


def _corner_windows(draws: _Draws, problem: Problem, best: Tensor, places: Tensor, share: float) -> Tensor:
    """Return the best points with one window each moved to a corner of the ball, the same for all its points in a channel."""
    side, ball = draws.side(share), cast("LinfBall", problem.ball)
    inside = _window_places(draws.corners(side)[places], side=side, sizes=draws.sizes)[:, None].expand(-1, draws.channels, -1)
    upper = draws.coins(draws.channels, 1)[places]
    corners = torch.where(upper, ball.high.flatten(2).gather(2, inside), ball.low.flatten(2).gather(2, inside))
    return best.flatten(2).scatter(2, inside, corners).view_as(best)


def _window_places(corners: Tensor, *, side: int, sizes: list[int]) -> Tensor:
    """Return the indices of the points of each example's window, its spatial axes flattened, (batch, points in a window)."""
    first, offsets = torch.zeros_like(corners[:, 0]), torch.zeros(1, dtype=torch.long, device=corners.device)
    for axis, size in enumerate(sizes):
        first = first * size + corners[:, axis]
        offsets = (offsets[:, None] * size + torch.arange(side, device=corners.device)).flatten()
    return first[:, None] + offsets


def _tiled_bumps(draws: _Draws) -> Tensor:
    """Bumps on a grid of about five tiles along the shortest axis, each of a random sign, of total length epsilon."""
    side = max(1, min(draws.sizes) // _TILES)
    tiles = [size // side for size in draws.sizes]
    bump, spread = _bump(side, axes=len(tiles), like=draws.inputs), draws.signs(draws.channels, *tiles)
    for axis in range(len(tiles)):
        spread = spread.repeat_interleave(side, dim=axis + 2)
    tiled = spread * bump.repeat(*tiles)
    for axis, size in enumerate(draws.sizes):
        before = (size - tiled.shape[axis + 2]) // 2
        padding = [0] * (2 * (len(draws.sizes) - 1 - axis)) + [before, size - tiled.shape[axis + 2] - before]
        tiled = torch.nn.functional.pad(tiled, padding)
    return tiled * (draws.epsilon / _norms(tiled, channelwise=False))


def _moved_bumps(draws: _Draws, problem: Problem, best: Tensor, places: Tensor, share: float) -> Tensor:
    """Return the best points with the mass of two windows each moved into one bump in the first (algorithm 3)."""
    side = min(max(draws.side(share), _SMALLEST_BUMP) | 1, *draws.sizes)
    first, indices = _window(draws.corners(side)[places], side=side, sizes=draws.sizes)
    second, _ = _window(draws.corners(side)[places], side=side, sizes=draws.sizes)
    offsets = best - problem.inputs
    bump = _placed(_bump(side, axes=len(draws.sizes), like=best), indices, turned=draws.coins()[places])
    inside = offsets * first
    shape = bump * first * draws.signs_per_channel()[places] + inside / _norms(inside)
    unused = (draws.epsilon**2 - _norms(offsets, channelwise=False) ** 2).clamp_min_(0) / draws.channels
    mass = (unused + _norms(offsets * (first | second)) ** 2).sqrt_()
    moved = torch.where(first, shape / _norms(shape) * mass, offsets.masked_fill(second, 0))
    return problem.ball.project_(problem.inputs + moved * (draws.epsilon / _norms(moved, channelwise=False)))


def _placed(bump: Tensor, indices: list[Tensor], *, turned: Tensor) -> Tensor:
    """Place the bump at each example's window, (batch, 1, *sizes); in images it is transposed where `turned`."""
    if len(indices) == 1:
        return bump[indices[0]][:, None]
    rows, columns = indices[0][:, :, None], indices[1][:, None, :]
    return chosen_per_example(turned, bump.T[rows, columns], bump[rows, columns])[:, None]


def _bump(side: int, *, axes: int, like: Tensor) -> Tensor:
    """Two halves of opposite signs, each highest in its middle, of total length 1, (side,) * axes (section 3.4)."""
    halves = [_hill([half, *[side] * (axes - 1)], like=like) for half in (side // 2, side - side // 2)]
    bump = torch.cat([halves[0], -halves[1]])
    return bump.div_(bump.norm())


def _hill(sizes: list[int], *, like: Tensor) -> Tensor:
    """Nested boxes around the middle, the k-th adding 1/k^2 to all points within it, of total length 1."""
    hill = torch.zeros(sizes, device=like.device, dtype=like.dtype)
    for k in range(max(sizes) // 2 + 1):
        hill[tuple(slice(max(0, size // 2 - k), size // 2 + k + 1) for size in sizes)] += 1 / (k + 1) ** 2
    return hill.div_(hill.norm()) if hill.numel() else hill


def _norms(offsets: Tensor, *, channelwise: bool = True) -> Tensor:
    """Euclidean norms over the spatial axes, and over the channels too unless `channelwise`; never 0."""
    axes = tuple(range(2 if channelwise else 1, offsets.ndim))
    norms: Tensor = torch.linalg.vector_norm(offsets, dim=axes, keepdim=True)
    return norms.clamp_min_(1e-12)


_First = Callable[[_Draws], Tensor]
_Propose = Callable[[_Draws, Problem, Tensor, Tensor, float], Tensor]
_SEARCHES: dict[NormName, tuple[_First, _Propose]] = {"l2": (_tiled_bumps, _moved_bumps), "linf": (_stripes, _corner_windows)}
