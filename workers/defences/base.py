"""The base of every defence: a change of the inputs, of the layers, or of the training loss. Importing it imports no torch."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from workers.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    import torch
    from torch import Tensor, nn

    from workers.layers.activation_checkpointing import NetworkPart


class Defence:
    """A defence of one network; this one changes nothing.

    It acts in train and eval mode alike. One that is `randomised` draws anew, for each example, at every forward pass, through
    `uniform` alone. A defence's settings are the typed keyword-only parameters of its `__init__`, which need not call this class's.

    Attributes:
        name: under which it is registered.
        randomised: as it is registered.
        bounds: the smallest and the largest legal input value.
        generator: of everything that it draws.
        part: the part of a batch that goes through the network now, where passes are divided.
        copies: the number of concatenated copies of a smaller batch that share their draws (see `Network.draws_shared`).
    """

    name = "none"
    randomised = False
    bounds: tuple[float, float] = (0.0, 1.0)
    generator: torch.Generator | None = None
    part: NetworkPart | None = None
    copies = 1
    _derandomised = False
    _held: dict[Hashable, Tensor] | None = None

    @property
    def label(self) -> str:
        """Suffix for messages about its network: ` defence=NAME`, or empty."""
        return "" if self.name == "none" else f" defence={self.name}"

    @property
    def live(self) -> bool:
        """True where a forward pass draws: a randomised defence, not inside `derandomised`."""
        return self.randomised and not self._derandomised

    @contextmanager
    def derandomised(self) -> Iterator[None]:
        """Switch a randomised defence off (the omniscient attacker's view); a deterministic one is unchanged."""
        before, self._derandomised = self._derandomised, True
        try:
            yield
        finally:
            self._derandomised = before

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Hold one draw: inside, the random numbers that the first forward pass draws for one example are used for every example of this
        and of all later passes, independent of their batches."""
        before, self._held = self._held, {}
        try:
            yield
        finally:
            self._held = before

    def transform(self, inputs: Tensor) -> Tensor:
        """Transform inputs (batch, *shape) in the data set's units, before they are normalised."""
        return inputs

    def backward_approximation(self, inputs: Tensor) -> Tensor | None:  # noqa: ARG002
        """Return what `transform` is differentiated as, of the shape of its result; None: as it is.

        Backward-pass differentiable approximation (BPDA; Athalye, Carlini & Wagner, 2018, section 4): return `inputs` for the identity.
        """
        return None

    def transformed(self, inputs: Tensor) -> Tensor:
        """Return the transformed inputs, with the gradient of the approximation where the defence states one.

        Raises:
            ValueError: the approximation has another shape.
        """
        if (approximation := self.backward_approximation(inputs)) is None:
            return self.transform(inputs)
        from workers.layers.straight_through import straight_through

        transformed = self.transform(inputs.detach())
        if transformed.shape != approximation.shape:
            made, stated = tuple(transformed.shape), tuple(approximation.shape)
            raise ValueError(f"transform gives {made}, backward_approximation {stated}: must be of one shape")
        return straight_through(approximation, transformed)

    def install(self, body: nn.Module) -> None:
        """Modify the network's layers, once, when the network is complete."""

    def penalty(self, body: nn.Module) -> Tensor | None:  # noqa: ARG002
        """Return the term added to the training loss, a scalar; None for none."""
        return None

    def uniform(self, shape: Sequence[int], device: torch.device, *, owner: object = None) -> Tensor:
        """Draw random numbers in [0, 1), fresh ones for each example.

        Args:
            shape: (batch, ...), the first dimension the examples.
            device: of the numbers.
            owner: the object that draws them, at most once a forward pass; `frozen` holds one draw for each.

        Raises:
            RuntimeError: there is no generator: randomness must be explicit.
        """
        place = (id(owner), *shape[1:])
        if self._held is None:
            return self._drawn(shape, device) if self.part is None else self._of_part(self.part, place, shape, device)
        if place not in self._held:
            self._held[place] = self._drawn((1, *shape[1:]), device)
        return self._held[place].expand(tuple(shape))

    def _of_part(self, part: NetworkPart, owner: Hashable, shape: Sequence[int], device: torch.device) -> Tensor:
        return part.drawn((id(self), owner), lambda: self._drawn((part.count, *shape[1:]), device))[part.place]

    def _drawn(self, shape: Sequence[int], device: torch.device) -> Tensor:
        if self.generator is None:
            raise RuntimeError(f"{self.name}: a randomised defence needs a generator (seed the network before its forward pass)")
        from workers.layers.sketch import uniform_per_example

        return uniform_per_example(shape, self.generator, device, copies=self.copies)


class ActivationDefence(Defence):
    """A defence that changes the output of every `nn.ReLU` module."""

    def activations(self, activations: Tensor, *, owner: object = None) -> Tensor:
        """Return the replacement for the outputs (batch, features or channels, *spatial) of `owner`, a ReLU."""
        raise NotImplementedError

    def install(self, body: nn.Module) -> None:
        """Register hooks on the ReLUs.

        Raises:
            UserError: there are none.
        """
        from torch import nn

        relus = [module for module in body.modules() if isinstance(module, nn.ReLU)]
        if not relus:
            raise UserError(f"defence {self.name}: acts on nn.ReLU modules, and {type(body).__name__} has none")
        for relu in relus:
            relu.register_forward_hook(self._hook)

    # A method, not a closure: a deep copy of the network gets the copied defence's.
    def _hook(self, module: nn.Module, inputs: Any, outputs: Tensor) -> Tensor:  # noqa: ARG002
        return self.activations(outputs, owner=module)
