"""Descriptions of the models on which transferred examples were made, by their differences from the attacked one."""

from collections.abc import Mapping
from typing import Any

from orchestrator.names import rank_in_words

_KEY_DIGITS = 8
_NAMED = ("binary", "rank_fraction", "rank_fractions", "theta", "seed")


def source_in_words(models: Mapping[str, Mapping[str, Any]], *, of: str, source: str) -> str:
    """Describe the differences of the source in a few words, `theta=1 undefended` or `dense`; the first digits of its key where it is not
    among the models, or differs in none of the named settings.

    Args:
        models: the columns of trained models, by job key.
        of: the attacked model's key, among `models`.
        source: the key of the model that the examples were made on.
    """
    words = list(_differences(models[of], models[source])) if source in models else []
    return " ".join(words) or source[:_KEY_DIGITS]


def _differences(model: Mapping[str, Any], source: Mapping[str, Any]) -> list[str]:
    changed = {name for name in source if source[name] != model[name]}
    if dense := "tensorized" in changed and not source["tensorized"]:
        changed -= {"rank_fraction", "rank_fractions", "theta"}  # a dense net has neither rank nor sketch
    words = ["dense"] if dense else []
    words += [f"model={source['model']}"] if "model" in changed else []
    words += [f"{name}={_word(value)}" for name, value in source["model_settings"].items() if model["model_settings"].get(name) != value]
    words += [f"{name.removesuffix('_fraction')}={_word(source[name])}" for name in _NAMED if name in changed]
    return words + _defences(changed, source)


def _defences(changed: set[str], source: Mapping[str, Any]) -> list[str]:
    """Describe the source's defences where they differ; `undefended` where it has none at all."""
    named = {"defence": source["defence"], "adversarial": source["adversarial_training"]}
    if changed & {"defence", "adversarial_training"} and set(named.values()) == {"none"}:
        return ["undefended"]
    different = {"defence": changed & {"defence", "defence_settings"}, "adversarial": "adversarial_training" in changed}
    return [f"{name}={value}" for name, value in named.items() if different[name]]


def _word(value: object) -> str:
    if isinstance(value, dict):
        return rank_in_words(None, value)
    return f"{value:g}" if isinstance(value, float) else str(value).lower()
