"""Contract of components: what every model, data set, attack, defence, loss, metric and corruption must keep, checked on one small batch.

Each function takes a component's name and settings, and raises `ContractError`, one line that says what is broken and where.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from workers.attacks.engine import Watched, attack_of, check_examples
from workers.components.component_registry import Component
from workers.components.facts import DatasetInfo, Modality
from workers.data.loading import source
from workers.data.loading.source import Dataset
from workers.errors import JobError, UserError, describe
from workers.layers import LatentSketch
from workers.measure.corrupted import CHANNELS, corrupted
from workers.models.network import Network, build
from workers.models.network.behaviour import require_logits, require_sound
from workers.registry import ATTACKS, CORRUPTIONS, DEFENCES, LOSSES, METRICS, MODELS, REGISTRIES
from workers.spec.attack import AttackSettings
from workers.spec.component import UNDEFENDED, DataSpec, DefenceSpec
from workers.spec.corruption import SEVERITIES, CorruptionSpec
from workers.spec.model import ModelSpec

_BATCH, _CLASSES, _OTHER_CLASSES, _EPSILON = 4, 7, 5, 0.1
_ONE_LEVEL = 1.5 / 255
_SHAPES: dict[Modality, tuple[int, ...]] = {"image": (3, 32, 32), "audio": (1, 16_000)}


class ContractError(UserError):
    """A component breaks what it must keep."""


def check_component(component: Component[Any], *, root: Path | None = None) -> None:
    """Check any component with its default settings; of a data set `root` is the folder that it is read from."""
    if component.kind == "dataset":
        check_dataset(component.name, root=root)
        return
    _CHECKS[component.kind](component.name)


def check_model(name: str, *, info: DatasetInfo | None = None, **settings: Any) -> None:
    """Check a network: logits (batch, n_classes) of whatever data set it is made for, finite, with a gradient; unless it says that it is
    `randomised` equal in two passes, which change no state, and each example's by itself; nothing is drawn from PyTorch's, NumPy's or
    Python's own generators while it computes."""
    component = MODELS[name]
    with _named(component):
        first = info or _info(component.facts.modality)
        for one in (first, replace(first, n_classes=_OTHER_CLASSES if first.n_classes != _OTHER_CLASSES else _CLASSES)):
            network = _network(ModelSpec.model_validate({"name": name, "tensorized": False, "settings": settings}), one)
            _check_network(network, _inputs(one), n_classes=one.n_classes)
            require_sound(network, one, name=name)


def check_attack(name: str, *, norm: str | None = None, **settings: Any) -> None:
    """Check an attack, under one norm or all of its own: points within the ball and the bounds, of the shape, type and device of the
    inputs, which it leaves alone; equal ones for an equal generator, and for any generator unless it says that it has a `random_start`;
    no gradient is taken where it says so."""
    component = ATTACKS[name]
    with _named(component):
        for one in component.facts.norms if norm is None else (norm,):
            for modality in (found for found in _SHAPES if found in component.facts.modalities):
                with _given(modality, component):
                    _check_attack(component, one, _info(modality, small=True), settings)


def check_defence(name: str, **settings: Any) -> None:
    """Check a defence around a small network: logits are finite, of the right shape, differentiable, and differ between two passes only
    where it says that it is `randomised`; then it draws through `uniform` alone, so that equal seeds give equal draws. A `penalty` is a
    finite scalar."""
    component = DEFENCES[name]
    with _named(component):
        for modality in component.facts.modalities:
            info = _info(modality, small=True)
            network = _around(DefenceSpec.model_validate({"name": name, "settings": settings}), info)
            with _given(modality, component):
                _check_network(network, _inputs(info), n_classes=info.n_classes)
            if (penalty := network.penalty()) is not None:
                _require_scalar("the penalty", penalty)


def check_dataset(name: str, *, root: Path | None = None, **settings: Any) -> Dataset:
    """Check a data set and return it: one label for each example, of a class that it has, finite values within its bounds, and the same
    examples whenever it is read; `files` names files that can be read."""
    found = source(DataSpec.model_validate({"name": name, "settings": settings}))
    with _named(found.component), _no_draws():
        found.digest(root)
        loaded, again = found.load(root), found.load(root)
        info = found.info_of(loaded)
        for part, other in ((loaded.train, again.train), (loaded.test, again.test)):
            if not (np.array_equal(part.inputs, other.inputs) and np.array_equal(part.labels, other.labels)):
                _broken("read twice it holds other examples")
            if part.inputs.dtype == np.float32 and not _within(part.inputs, info):
                _broken(f"values in [{part.inputs.min():g}, {part.inputs.max():g}]: must be in [{info.low:g}, {info.high:g}]")
    return loaded


def check_loss(name: str, **settings: Any) -> None:
    """Check a training loss: a finite scalar, with a gradient in the network's weights."""
    component = LOSSES[name]
    with _named(component), _no_draws():
        info = _info("image", small=True)
        network = _around(UNDEFENDED, info).requires_grad_(True)
        own = dict(component.settings.model_validate(settings))
        found = component.create(network, _inputs(info), _labels(info), lambda inputs, labels: inputs, **own)  # noqa: ARG005
        _require_scalar("the loss", found).backward()
        if all(parameter.grad is None for parameter in network.parameters()):
            _broken("the loss does not depend on the network")


def check_metric(name: str) -> None:
    """Check a metric: one finite number for each example."""
    component = METRICS[name]
    with _named(component), _no_draws():
        for modality in component.facts.modalities:
            info = _info(modality, small=True)
            inputs = _inputs(info)
            values = component.create(inputs, (inputs + _EPSILON).clamp(info.low, info.high), _labels(info))
            if not isinstance(values, Tensor) or values.shape != (_BATCH,):
                _broken(f"returned {_said(values)} for {_BATCH} examples: must be a tensor of shape ({_BATCH},)")
            if not values.isfinite().all():
                _broken("returned values that are not finite")


def check_corruption(name: str, **settings: Any) -> None:
    """Check a corruption at every severity, of grey and of coloured images, which it leaves alone: images of their shape, finite, that
    depend on the image and the seed alone, not on others of its batch."""
    component = CORRUPTIONS[name]
    with _named(component), _no_draws():
        for channels in CHANNELS:
            brightness = torch.linspace(0.25, 1, _BATCH).view(-1, 1, 1, 1)
            images = brightness * _inputs(replace(_info("image", small=True), shape=(channels, 32, 32)))
            before = images.clone()
            for severity in SEVERITIES:
                spec = CorruptionSpec.model_validate({"name": name, "severity": severity, "settings": settings})
                found = corrupted(images, spec)
                if not torch.equal(images, before):
                    _broken("it changes the images that it is given")
                if not torch.allclose(corrupted(images[:1], spec), found[:1], rtol=0, atol=_ONE_LEVEL):  # which rounding may decide
                    _broken("an image is another one in another batch: draw everything from `draws`, and look at each image alone")


_CHECKS: dict[str, Callable[[str], None]] = {
    "model": check_model,
    "attack": check_attack,
    "corruption": check_corruption,
    "defence": check_defence,
    "loss": check_loss,
    "metric": check_metric,
}


def registered_by(path: str) -> list[Component[Any]]:
    """The components that a plugin has registered, by its path or the name of its distribution."""
    every = (component for registry in REGISTRIES.values() for component in registry)
    return [component for component in every if component.source.plugin is not None and component.source.plugin.path == path]


def _check_network(network: Network, inputs: Tensor, *, n_classes: int) -> None:
    with _no_draws():
        network.seed(0)
        logits = require_logits(network(inputs.requires_grad_(True)), (_BATCH, n_classes), named=f"{n_classes} classes")
        if not logits.requires_grad:
            _broken("logits have no gradient in the inputs")
        torch.autograd.grad(logits.sum(), inputs)
        with torch.no_grad():
            differ = not torch.equal(network(inputs), logits)
            if differ and not network.randomised:
                _broken("two passes in eval mode differ, and it is not `randomised`")
            network.seed(0)
            if not (network.randomised_body or torch.equal(network(inputs), logits)):
                _broken("two passes with equal seeds differ: draw through `uniform` alone")


def _check_attack(component: Component[Any], norm: str, info: DatasetInfo, settings: dict[str, Any]) -> None:
    inputs, labels, bounds = _inputs(info), _labels(info), (info.low, info.high)
    before, watched = inputs.clone(), Watched.all_of(_around(UNDEFENDED, info), labels)
    spec = AttackSettings(name=component.name, norm=norm, epsilon=_EPSILON, epsilon_literal=f"{_EPSILON}", settings=settings)  # type: ignore[arg-type]

    def points(seed: int) -> Tensor:
        return attack_of(spec)(watched, inputs, labels, settings=spec, generator=torch.Generator().manual_seed(seed), bounds=bounds)

    with _no_draws():
        found = points(0)
        check_examples(found, before, epsilon=_EPSILON, bounds=bounds, norm=spec.norm)
        if not torch.equal(inputs, before):
            _broken("it changes the inputs that it is given")
        if not torch.equal(points(0), found):
            _broken("equal generators give other points: draw everything from `generator`")
        if not spec.facts.random_start and not torch.equal(points(1), found):
            _broken("it draws, and does not say random_start=True")
        if watched.passes.backward and not spec.facts.takes_gradients:
            _broken("it takes gradients, and says takes_gradients=False")


@contextmanager
def _named(component: Component[Any]) -> Iterator[None]:
    """Inside, whatever goes wrong is said to be this component's."""
    try:
        yield
    except Exception as error:
        said = str(error) if isinstance(error, JobError | UserError) else describe(error)
        if isinstance(error, ValidationError):
            said = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        place = f" ({component.place})" if component.place else ""
        named = f"{component.kind} {component.name}"
        raise ContractError(f"{named}{place}: {said.removeprefix(f'{named}: ').removeprefix(f'{named}{place}: ')}") from error


@contextmanager
def _given(modality: Modality, component: Component[Any]) -> Iterator[None]:
    """Inside, an error of an attack's or a defence's own says which inputs it was given."""
    try:
        yield
    except (JobError, UserError):
        raise
    except Exception as error:
        shape = (_BATCH, *_info(modality, small=True).shape)
        hint = '; one that takes images alone says modalities=("image",)' if len(component.facts.modalities) > 1 else ""
        raise ContractError(f"{describe(error)}, given {modality} of shape {shape}{hint}") from error


@contextmanager
def _no_draws() -> Iterator[None]:
    """Check that inside nothing is drawn from a generator that all share."""
    states = _shared()
    yield
    for name, state in _shared().items():
        if state != states[name]:
            _broken(f"it draws from {name}: draw from what it is given alone")


def _shared() -> dict[str, Any]:
    numbers: Any = np.random.get_state(legacy=False)
    return {
        "PyTorch's own generator": torch.get_rng_state().numpy().tobytes(),
        "NumPy's own generator": (numbers["state"]["key"].tobytes(), numbers["state"]["pos"]),
        "Python's own generator": random.getstate(),
    }


def _broken(message: str) -> NoReturn:
    raise ContractError(message)


def _require_scalar(what: str, found: Any) -> Tensor:
    if not isinstance(found, Tensor) or found.ndim or not found.isfinite():
        _broken(f"{what} is {f'{found:g}' if isinstance(found, Tensor) and not found.ndim else _said(found)}: must be a finite scalar")
    return found


def _said(value: Any) -> str:
    return f"of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"of type {type(value).__name__}"


def _within(inputs: Any, info: DatasetInfo) -> bool:
    return bool(np.isfinite(inputs).all() and inputs.min() >= info.low and inputs.max() <= info.high)


def _info(modality: Modality, *, small: bool = False) -> DatasetInfo:
    shape = _SHAPES[modality]
    if small:
        shape = (shape[0], *[32] * (len(shape) - 1))
    low = 0.0 if modality == "image" else -1.0
    return DatasetInfo(_CLASSES, shape, (0.5,) * shape[0], (0.5,) * shape[0], low, 1.0)


def _inputs(info: DatasetInfo) -> Tensor:
    drawn = torch.rand((_BATCH, *info.shape), generator=torch.Generator().manual_seed(0))
    return info.low + (info.high - info.low) * drawn


def _labels(info: DatasetInfo) -> Tensor:
    return torch.arange(_BATCH) % info.n_classes


def _network(spec: ModelSpec, info: DatasetInfo) -> Network:
    with torch.random.fork_rng(devices=[]):  # a module's constructor draws its weights, which are drawn anew
        network = build(spec, info, seed=0)
    return network.eval().requires_grad_(False)


def _around(defence: DefenceSpec, info: DatasetInfo) -> Network:
    """A small network of linear layers and a ReLU, with a defence."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        body = nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(info.shape)), 16), nn.ReLU(), nn.Linear(16, info.n_classes))
    sketch = LatentSketch(theta=1.0)
    network = Network(body, sketch=sketch, info=info, defence=defence).eval().requires_grad_(False)
    network.seed(0)
    return network
