"""Short descriptions of job specs, for lists of failures."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from workers.spec.surface import SurfaceSettings

_DISTINGUISHING = (
    ("eot_samples", 1, "over {} samples"),
    ("loss", "ce", "loss {}"),
    ("target", "none", "target {}"),
    ("restarts", 1, "{} restarts"),
    ("sign_gradient", "identity", "sign as {}"),
    ("backend", "native", "by {}"),
)
"""Settings of an attack, their usual values, and the words for other values."""


def describe(spec_text: str) -> str:
    """Describe the job, from the JSON of its spec: `pgd 8/255 randomized, repeat 0`.

    Reads the text leniently, not as a `JobSpec`: a spec of an older version must still be describable.
    """
    spec = {name: _flat(value) for name, value in json.loads(spec_text).items()}
    if "model" in spec:
        return _training(spec)
    if "diagnosis" in spec:
        return f"diagnosis at {spec['diagnosis']['epsilon_literal']}"
    if "surface" in spec:
        return surface_words(spec["surface"])
    attack = spec.get("attack")
    words = _attack(attack, spec.get("knowledge", "on full weights")) if attack else "clean accuracy"
    return f"{words}, repeat {spec['repeat']}" if "repeat" in spec else words


def _flat(section: Any) -> Any:
    """A section of a spec, the own settings of its component among its other fields."""
    if not isinstance(section, dict) or "settings" not in section:
        return section
    return {**{name: value for name, value in section.items() if name != "settings"}, **section["settings"], "own": section["settings"]}


def surface_words(surface: dict[str, Any]) -> str:
    """Describe a loss surface by its settings: `loss surface of example 0, direction own, draws=3`."""
    usual = SurfaceSettings().model_dump()
    named = ("example", "direction")
    distinct = [f"{name}={value}" for name, value in surface.items() if name not in named and value != usual.get(name)]
    return ", ".join([f"loss surface of example {surface['example']}", f"direction {surface['direction']}", *distinct])


def _attack(attack: dict[str, Any], knowledge: str) -> str:
    norm = "" if attack.get("norm", "linf") == "linf" else f" {attack['norm']}"
    distinct = [words.format(attack[name]) for name, usual, words in _DISTINGUISHING if attack.get(name, usual) != usual]
    return " ".join([f"{attack['name']}{norm}", attack["epsilon_literal"], knowledge, *distinct])


def _training(spec: dict[str, Any]) -> str:
    model = spec["model"]
    rank = rank_in_words(model["rank_fraction"], model.get("rank_fractions") or model.get("stage_rank_fractions"))
    sketch = f"rank {rank} theta {model['theta']:g}" if model["tensorized"] else "dense"
    kind = "binary " if model.get("binary") else ""
    name = spec.get("defence", {}).get("name", "none")
    defence = "" if name == "none" else f" with {name}"
    until = f", stopped after {spec['until']} of {spec['training']['epochs']} epochs" if spec.get("until") else ""
    own = model.get("own", {"width": model["width"]} if "width" in model else {})
    settings = "".join(f"{name} {value} " for name, value in own.items())
    return f"{model['name']} {settings}{kind}{sketch}{defence} on {spec['data']['name']}, seed {spec['seed']}{until}"


def rank_in_words(rank_fraction: float | None, rank_fractions: Mapping[str, float] | Sequence[float] | None) -> str:
    """`0.5`, or `1/0.5/0.5/0.25` where layers have their own; `dense` without a rank."""
    if rank_fractions:
        shares = rank_fractions.values() if isinstance(rank_fractions, Mapping) else rank_fractions
        return "/".join(f"{fraction:g}" for fraction in shares)
    return "dense" if rank_fraction is None else f"{rank_fraction:g}"
