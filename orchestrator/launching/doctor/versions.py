"""Versions of the packages that results depend on: those that this package needs, and those of a cluster's nodes compared with ours."""

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from orchestrator.launching.doctor.results_of_checks import CheckResult
from workers.code import code_here
from workers.runtime.environment import package_versions, source_revision

_SHOWN = ("python", "robustsweep", "torch", "ray", "numpy")
_EXTRA = re.compile(r"\bextra\b")
SOURCE = "source revision"


def versions_here() -> dict[str, str]:
    """Return the versions on this machine."""
    return package_versions() | {"code": code_here().digest[:12]} | ({SOURCE: revision} if (revision := source_revision()) else {})


def check_versions(found: Mapping[str, str], needs: Iterable[str] | None = None) -> list[CheckResult]:
    """Check that the packages installed here meet the requirements `needs` (None: those of this package)."""
    listed = ", ".join(f"{name} {found[name]}" for name in _SHOWN if name in found)
    wrong = [text for need in (requires("robustsweep") or () if needs is None else needs) if (text := _unmet(need))]
    if wrong:
        return [
            CheckResult("wrong", "versions", "; ".join(wrong), "pip install --constraint constraints.txt robustsweep, in this environment")
        ]
    return [CheckResult("ok", "versions", listed)]


def _unmet(need: str) -> str | None:
    """Return how a requirement such as `torch>=2.11` is not met; None where it is, or is an extra's."""
    wanted = Requirement(need)
    if wanted.marker is not None and (_EXTRA.search(str(wanted.marker)) or not wanted.marker.evaluate()):
        return None
    found = _version(wanted.name)
    if found is None:
        return f"{wanted.name} is not installed"
    return None if wanted.specifier.contains(found, prereleases=True) else f"{wanted.name} is {found}, needs {wanted.specifier}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def compare_versions(here: Mapping[str, str], there: Mapping[str, str]) -> list[CheckResult]:
    """Compare a node's versions with those of the driver: equal jobs must give equal results on all machines."""
    differing = [name for name in here if name != SOURCE and _public(there.get(name)) != _public(here[name])]
    if SOURCE in here and SOURCE in there and here[SOURCE] != there[SOURCE]:
        differing.append(SOURCE)
    if differing:
        listed = ", ".join(f"{name} {there.get(name, 'missing')} (here {here[name]})" for name in differing)
        return [
            CheckResult("wrong", "versions", listed, "install the same versions on all nodes: pip install --constraint constraints.txt")
        ]
    builds = [f"{name} {there[name]} (here {here[name]})" for name in here if name != SOURCE and there[name] != here[name]]
    if builds:
        advice = "fine where some nodes have a GPU and some have none; results on CPUs and GPUs differ in their last bits"
        return [CheckResult("warning", "versions", f"another build: {', '.join(builds)}", advice)]
    return [CheckResult("ok", "versions", "as here")]


def _public(text: str | None) -> str | None:
    """Return a version without its build: `2.11.0` of `2.11.0+cpu`."""
    return None if text is None else text.partition("+")[0]
