"""Checks of components of one's own, for their tests: each raises `ContractError`, one line that says what is broken.

from robustsweep import testing
testing.load("mine.py")
testing.check_attack("my_attack", steps=5)
"""

from pathlib import Path

from workers.measure.contract import (
    ContractError,
    check_attack,
    check_component,
    check_corruption,
    check_dataset,
    check_defence,
    check_loss,
    check_metric,
    check_model,
)
from workers.plugins import load_plugins

__all__ = [
    "ContractError",
    "check_attack",
    "check_component",
    "check_corruption",
    "check_dataset",
    "check_defence",
    "check_loss",
    "check_metric",
    "check_model",
    "load",
]


def load(*plugins: str | Path) -> None:
    """Load plugins, as `--plugin` does: their components are known from then on.

    Raises:
        UserError: one is not there, raises an error, or registers what cannot be registered; the message says where.
    """
    load_plugins(plugins)
