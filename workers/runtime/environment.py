"""The record of a job's environment: machine, device and package versions."""

import platform
import socket
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from workers.artifacts.outcomes import Environment

_PACKAGES = ("robustsweep", "torch", "torchaudio", "torchvision", "foolbox", "numpy", "ray", "safetensors", "scikit-learn", "tensorly")


@cache
def record_environment(device: torch.device, threads: int) -> Environment:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return Environment(
        host=socket.gethostname(),
        device=f"{device.type}: {name}",
        threads=threads,
        git_revision=source_revision(),
        versions=package_versions(),
    )


def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages on which results depend."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def source_revision() -> str | None:
    """Return the commit of this source tree, with `+` where the tree has changes; None outside a git checkout."""
    here = Path(__file__).parents[1]
    if not (here.parent / ".git").exists():
        return None
    try:
        revision = _git(here, "rev-parse", "HEAD")
        return f"{revision}+" if _git(here, "status", "--porcelain", "--untracked-files=no") else revision
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603, S607
