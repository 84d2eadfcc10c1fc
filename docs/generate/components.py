"""Tables of components: names, their papers as the files state them, facts and settings."""

import inspect
import re
from collections.abc import Callable

from docs.generate.tables import code, table
from orchestrator.naming.varying_axes import in_words
from workers.components.component_registry import Component
from workers.registry import REGISTRIES

_PAPER = re.compile(r"^[^(.:]*\(([^()]*\d{4}[^()]*)\)")


def _kind_of_attack(component: Component) -> str:
    facts = component.facts
    if facts.suite:
        return "suite"
    kinds = ["gradients" if facts.takes_gradients else "no gradients", *["smallest perturbation"] * facts.minimises]
    return ", ".join([*kinds, *["random start"] * facts.random_start])


_FACTS: dict[str, dict[str, Callable[[Component], str]]] = {
    "attack": {"norms": lambda one: ", ".join(one.facts.norms), "kind": _kind_of_attack},
    "model": {"inputs": lambda one: one.facts.modality},
    "dataset": {"inputs": lambda one: one.facts.modality, "needs": lambda one: code(f"DIR/{one.facts.folder}" if one.facts.folder else "")},
    "corruption": {"in the mean": lambda one: "yes" if one.facts.published else "no"},
    "defence": {"is": lambda one: ", ".join(["put around" if one.facts.around else "trained in", *["random"] * one.facts.randomised])},
}


def components(kind: str) -> str:
    """The components of one kind, a row each."""
    facts = _FACTS.get(kind, {})
    rows = [
        (code(one.name), _about(one), _paper(one), *(fact(one) for fact in facts.values()), _settings(one))
        for one in REGISTRIES[kind]
        if one.source.path is None and one.name != "none"
    ]
    return table((kind if kind != "dataset" else "data set", "what it is", "paper", *facts, "settings"), rows)


def _about(component: Component) -> str:
    first = (inspect.getdoc(component.create) or "").partition("\n\n")[0]
    return " ".join(first.split()).partition(". ")[0].removesuffix(".")


def _paper(component: Component) -> str:
    """The paper that the file of a component names behind its name."""
    module = inspect.getdoc(inspect.getmodule(component.create)) or ""
    found = _PAPER.match(module)
    return found[1] if found else ""


def _settings(component: Component) -> str:
    fields = component.settings.model_fields
    return ", ".join(code(name if field.is_required() else f"{name}={in_words(field.default)}") for name, field in fields.items())
