"""`rs.audit`: how robust a network in memory is, on examples in memory."""

import copy
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from orchestrator.api.frames import frame_of_results
from orchestrator.api.in_memory import register_network
from orchestrator.audit.audit import AuditOptions, AuditOutcome, run_audit
from orchestrator.audit.rounds import read_budget
from orchestrator.audit.summary import audit_lines, render_audit, require_outcome
from orchestrator.launching.drive import SIGNAL_CODE
from orchestrator.launching.launch import LaunchOptions
from orchestrator.paths import DEFAULT_HOME, Paths, write_atomically
from orchestrator.terminal.console import Terminal, preformatted, printed
from workers.components.facts import DatasetFacts, DatasetInfo
from workers.data.loading.source import Dataset
from workers.errors import UserError
from workers.registry import DATASETS
from workers.spec.fields import NormName
from workers.weights.tensors import to_safetensors

_DIGITS = 12


@dataclass(frozen=True)
class Audit:
    """Findings of an audit, shown as its tables and lines."""

    outcome: AuditOutcome

    @property
    def verdict(self) -> str | None:
        """`sound`, `suspicious` or `unsound`."""
        return None if self.outcome.verdict is None else self.outcome.verdict.verdict

    @property
    def robust_accuracy(self) -> float | None:
        """Share of the examples that stay right under the most harmful attack on each, of all attacks, in [0, 1]."""
        row = self.outcome.worst or self.outcome.strongest
        return None if row is None else row.robust_accuracy

    def results(self) -> pd.DataFrame:
        """Return a row for each attack, and for the worst case."""
        return frame_of_results(self.outcome.rows)

    def __repr__(self) -> str:
        return "\n".join([printed(render_audit(self.outcome)), "", *audit_lines(self.outcome)])

    def _repr_html_(self) -> str:
        return preformatted(repr(self))


def audit(  # noqa: PLR0913 (each is an option of the command)
    network: nn.Module,
    examples: tuple[Any, Any],
    *,
    epsilon: str | float,
    norm: NormName = "linf",
    bounds: tuple[float, float] = (0.0, 1.0),
    randomised: bool = False,
    name: str = "network",
    budget: str | None = None,
    seed: int = 0,
    bundle: str | Path | None = None,
    home: str | Path = DEFAULT_HOME,
) -> Audit:
    """Find out how robust a network is, as `robustsweep audit` does, in this process; the same call continues after an interruption.

    Args:
        network: from inputs (batch, *shape) within `bounds` to logits (batch, n_classes); not changed.
        examples: inputs (examples, *shape) and their labels (examples,), arrays or tensors.
        epsilon: of the attacks' ball, in input units: `"8/255"`.
        norm: `linf` or `l2`.
        bounds: smallest and largest legal input value.
        randomised: True where the network draws in eval mode. One that does so unsaid is found out, and fails.
        name: of the network in results.
        budget: no further round of attacks is begun after this time: `"30m"`.
        seed: of everything that the attacks draw.
        bundle: file to write for reviewers, see `rs.verify`; ask for it from the beginning.
        home: folder of the results.

    Raises:
        UserError: an argument is wrong, or nothing could be measured.
        KeyboardInterrupt: it was stopped; what was done is kept.
    """
    inputs, labels = (np.asarray(_on_cpu(array)) for array in examples)
    paths = Paths.resolve(home=Path(home), store=None)
    weights = to_safetensors(network.state_dict())
    options = AuditOptions(
        network=_registered_network(network, name, randomised=randomised, image=inputs.ndim > 3),  # noqa: PLR2004
        weights=str(_kept(weights, paths.home / "audits")),
        data=_registered_data(inputs.astype(np.float32), labels.astype(np.int64), bounds, n_classes=_classes(network, inputs)),
        epsilon=str(epsilon),
        norm=norm,
        examples=len(labels),
        seed=seed,
        budget=read_budget(budget),
        bundle=None if bundle is None else Path(bundle).expanduser(),
        launch=LaunchOptions(space="", paths=paths, executor="inline"),
    )
    found, code = run_audit(options, Terminal())
    if code > SIGNAL_CODE:
        raise KeyboardInterrupt
    require_outcome(found)
    return Audit(found)


def _on_cpu(array: Any) -> Any:
    return array.detach().cpu() if hasattr(array, "detach") else array


def _classes(network: nn.Module, inputs: np.ndarray[Any, Any]) -> int:
    """Return the number of classes that the network tells apart, which its copy says of two examples."""
    with torch.no_grad():
        logits = copy.deepcopy(network).cpu().eval()(torch.from_numpy(inputs[:2].astype(np.float32)))
    return int(logits.shape[-1])


def _kept(weights: bytes, folder: Path) -> Path:
    path = folder / f"{hashlib.sha256(weights).hexdigest()[:_DIGITS]}.safetensors"
    if not path.exists():
        write_atomically(path, weights)
    return path


def _registered_network(network: nn.Module, name: str, *, randomised: bool, image: bool) -> str:
    """Register copies of the network under its name and the digest of its structure; return both."""
    registered = f"{name}_{hashlib.sha256(repr((network, randomised)).encode()).hexdigest()[:_DIGITS]}"
    register_network(registered, network, randomised=randomised, image=image)
    return registered


def _registered_data(inputs: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], bounds: tuple[float, float], *, n_classes: int) -> str:
    """Register the examples under their digest; return the name.

    Raises:
        UserError: they are no examples with a label each, within the bounds.
    """
    if len(inputs) != len(labels) or not len(inputs) or labels.ndim != 1:
        raise UserError(f"examples: inputs {inputs.shape} and labels {labels.shape}; one label for each example, and one at least")
    low, high = bounds
    if not (low <= float(inputs.min()) and float(inputs.max()) <= high):
        raise UserError(f"examples: from {float(inputs.min()):g} to {float(inputs.max()):g}; must be within bounds={bounds}")
    shape = inputs.shape[1:]
    info = DatasetInfo(n_classes, shape, (0.0,) * shape[0], (1.0,) * shape[0], low, high)
    digest = hashlib.sha256(inputs.tobytes() + labels.tobytes() + repr((shape, bounds)).encode()).hexdigest()
    registered = f"examples_{digest[:_DIGITS]}"

    def create(root: Path | None) -> Dataset:  # noqa: ARG001 (they are here)
        return Dataset((inputs, labels), (inputs, labels), info=info)

    if registered not in DATASETS:
        DATASETS.add(registered, create, DatasetFacts(info, n_train=len(labels), n_test=len(labels)))
    return registered
