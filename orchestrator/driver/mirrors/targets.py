"""Kinds of mirrors, and how a user names one: `tensorboard:DIR`, `mlflow:URI`, `wandb:PROJECT`."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from orchestrator.driver.mirrors.entry import Entry
from workers.errors import UserError


class Target(Protocol):
    """Place that shows runs: one for each model. Used by one thread."""

    def write(self, entry: Entry) -> None:
        """Write the numbers of an entry to the run of its model, which is made where there is none.

        Raises:
            OSError: the place cannot be reached or written now; the same entry may be written later.
            Exception: the place refuses the entry.
        """

    def close(self) -> None:
        """Mark the runs as ended."""


@dataclass(frozen=True)
class NamedTarget:
    """A target as the user named it; `make` opens it, `anew` where it is to hold each run as if for the first time."""

    name: str
    make: Callable[[bool], Target]


def parse_target(name: str, *, option: str = "--mirror") -> NamedTarget:
    """Read the name of a target; nothing is opened.

    Raises:
        UserError: it is none, or needs a package that is not installed. The message begins with the `option`.
    """
    kind, colon, place = name.partition(":")
    if kind not in _KINDS or not colon or not place:
        raise UserError(f"{option} {name}: must be tensorboard:DIR, mlflow:URI or wandb:PROJECT")
    return NamedTarget(name, _KINDS[kind](place, f"{option} {name}"))


def _tensorboard(place: str, said: str) -> Callable[[bool], Target]:
    _require("tensorboard", said)
    folder = Path(place).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{said}: {folder} is no folder")

    def make(anew: bool) -> Target:
        from orchestrator.driver.mirrors.tensorboard import TensorBoard

        return TensorBoard(folder, anew=anew)

    return make


def _mlflow(place: str, said: str) -> Callable[[bool], Target]:
    address = urlsplit(place)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise UserError(f"{said}: must be the address of a server, such as mlflow:http://127.0.0.1:5000")
    if address.username or address.password:
        raise UserError("--mirror mlflow: must hold no password; put it into MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD")

    def make(anew: bool) -> Target:
        from orchestrator.driver.mirrors.mlflow import MLflow

        return MLflow(place, anew=anew)

    return make


def _wandb(place: str, said: str) -> Callable[[bool], Target]:
    _require("wandb", said)

    def make(anew: bool) -> Target:  # noqa: ARG001 (a run that W&B has is continued: it can be deleted there alone)
        from orchestrator.driver.mirrors.wandb import WeightsAndBiases

        return WeightsAndBiases(place)

    return make


def _require(package: str, said: str) -> None:
    if find_spec(package) is None:
        raise UserError(f"{said}: needs the package {package}; pip install 'robustsweep[{package}]'")


_KINDS: dict[str, Callable[[str, str], Callable[[bool], Target]]] = {"tensorboard": _tensorboard, "mlflow": _mlflow, "wandb": _wandb}
