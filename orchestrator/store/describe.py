"""A job's spec in a few words, for lists of failures."""

import json
from typing import Any


def describe(spec_text: str) -> str:
    """What the job does, from the JSON of its spec: `pgd 8/255 randomized, repeat 0`.

    Reads the text leniently, not as a `JobSpec`: a spec of an older version must still be describable.
    """
    spec = json.loads(spec_text)
    if "model" in spec:
        return _training(spec)
    attack = spec.get("attack")
    words = [attack["name"], attack["epsilon_literal"], spec.get("knowledge", "on full weights")] if attack else ["clean accuracy"]
    if attack and attack.get("sign_gradient", "identity") != "identity":
        words.append(f"sign as {attack['sign_gradient']}")
    repeat = f", repeat {spec['repeat']}" if "repeat" in spec else ""
    return " ".join(words) + repeat


def _training(spec: dict[str, Any]) -> str:
    model = spec["model"]
    sketch = f"rank {model['rank_fraction']:g} theta {model['theta']:g}" if model["tensorized"] else "dense"
    kind = "binary " if model.get("binary") else ""
    name = spec.get("defence", {}).get("name", "none")
    defence = "" if name == "none" else f" with {name}"
    return f"{model['name']} width {model['width']} {kind}{sketch}{defence} on {spec['data']['name']}, seed {spec['seed']}"
