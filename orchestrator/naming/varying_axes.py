"""Axes: the settings in which models differ, by their names in a space, and how a model is named by them.

`Axes.of` is the one answer for tables, legends, messages and frames. It takes models as plain settings by dotted names: those of a row
(`settings_of`), or of jobs and their ancestors (`lineages`).
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo

from orchestrator.naming.own_settings import FIELDS, SECTIONS, as_written, hashable, held, own_names, value_of
from workers.spec.component import ComponentSpec
from workers.spec.job import Job
from workers.spec.model import SKETCH_SETTINGS, TUCKER_SETTINGS, ModelSpec
from workers.spec.stage_specs import JobSpec, TrainSpec
from workers.spec.training import TrainingSpec

ModelSettings = Mapping[str, Any]

_OF_MODELS = ("data", "model", "training", "fine_tuning", "defence")
_TITLES = {
    "data.name": "dataset",
    "model.name": "model",
    "defence.name": "defence",
    "model.rank_fraction": "rank",
    "until": "until epoch",
}
_BEST_KNOWN = frozenset(
    {
        *("data.name", "data.train_examples", "model.name", "model.rank_fraction", "model.theta", "defence.name", "seed"),
        *(f"training.{name}" for name in ("epochs", "batch_size", "optimizer", "learning_rate")),
    }
)
_FIELDS_OF: dict[str, dict[str, FieldInfo]] = {
    "model": ModelSpec.model_fields,
    "training": TrainingSpec.model_fields,
    "fine_tuning": TrainingSpec.model_fields,
}
_LONG_NAME = 4
"""Settings in the longest name of a model that says all that varies."""

_OFF = (None, False, 0, "none")

_SECTION_OF_STAGE = {"pretrain": "training", "fine_tune": "fine_tuning"}


@dataclass(frozen=True)
class Axes:
    """The settings that vary among some models, in the order of a space, and the title of each: its short name where that names no other.
    `constant` are the others, which all models that have them have alike; `implied` those that vary only with others: names do without."""

    titles: Mapping[str, str]
    constant: Mapping[str, str]
    implied: frozenset[str] = frozenset()

    @classmethod
    def of(cls, models: Iterable[ModelSettings]) -> "Axes":
        """The axes of these models. One that does not have a setting does not vary in it, and a fine-tuning that takes a setting from the
        training tells nothing more."""
        known = list(models)
        values: dict[str, set[Hashable]] = {}
        for model in known:
            for name, value in model.items():
                values.setdefault(name, set()).add(hashable(value))
        said = [name for name in values if not _is_told(name, known)]
        varying = [name for name in said if len(values[name]) > 1 or name == "until"]
        constant = {name: title(name, said) for name in said if name not in varying}
        return cls({name: title(name, said) for name in varying}, constant, _implied(varying, known))

    def __contains__(self, name: str) -> bool:
        return name in self.titles

    def __bool__(self) -> bool:
        return bool(self.titles)

    def notable(self, model: ModelSettings) -> list[str]:
        """The names of what all these models have alike, as far as it is best known, a component's own, or not the usual value."""
        return [name for name in self.constant if model.get(name) is not None and _is_notable(name, model[name])]

    def label(self, model: ModelSettings) -> str:
        """The name of a model by what varies: `theta 0.9, learning_rate 0.1`; where nothing does its theta, or if dense its network."""
        said = [f"{self.titles[name]} {in_words(model[name])}" for name in self.titles if name in model and name not in self.implied]
        if said or not model.get("model.tensorized", True):
            return ", ".join(said) or in_words(model.get("model.name", ""))
        return f"theta {in_words(model['model.theta'])}" if "model.theta" in model else ""


def _implied(varying: Sequence[str], models: Sequence[ModelSettings]) -> frozenset[str]:
    """The settings without which a long name still tells these models apart: what a recipe sets, one names it by.

    Tried in turn, the later before the earlier: numbers before words, then what only some models have switched on; the best known last.
    """
    if len(varying) <= _LONG_NAME:
        return frozenset()
    values = {name: [hashable(model.get(name)) for model in models] for name in varying}
    apart, kept = len(set(zip(*values.values(), strict=True))), dict(values)
    later_first = varying[::-1]
    for name in sorted(later_first, key=lambda name: _standing(name, values[name])):
        rest = {other: found for other, found in kept.items() if other != name}
        kept = rest if len(set(zip(*rest.values(), strict=True))) == apart else kept
    return frozenset(varying) - kept.keys()


def _standing(name: str, values: Sequence[Hashable]) -> tuple[bool, bool, bool]:
    usual = _usual(name)
    is_switch = usual is not None and usual.default in _OFF and hashable(usual.default) in values
    return name in _BEST_KNOWN, is_switch, any(isinstance(value, str) for value in values)


def _is_notable(name: str, value: Any) -> bool:
    section, _, short = name.rpartition(".")
    if section == "model" and short not in ModelSpec.model_fields:
        return True
    usual = _usual(name)
    return name in _BEST_KNOWN or (usual is not None and hashable(value) != hashable(usual.default))


def _usual(name: str) -> FieldInfo | None:
    section, _, short = name.rpartition(".")
    return _FIELDS_OF.get(section, {}).get(short)


def title(name: str, among: Iterable[str]) -> str:
    """The short name of a setting where it names no other one `among` these, and no field of the results; else the dotted one."""
    if name in _TITLES:
        return _TITLES[name]
    short = name.rpartition(".")[2]
    taken = short in FIELDS.values() and FIELDS.get(name) != short
    return name if taken or any(other != name and other.rpartition(".")[2] == short for other in among) else short


def in_words(value: Any) -> str:  # noqa: PLR0911 (one for each kind of value)
    """A value of a setting as people read it."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}".replace("e+", "e")
        case Mapping() if all(isinstance(item, str) for item in value.values()):
            return ", ".join(f"{name} -> {item}" for name, item in value.items()) or "none"
        case Mapping():
            return rank_in_words(None, value)
        case list() | tuple():
            return _list_in_words([in_words(part) for part in value])
    return str(value)


def _list_in_words(parts: list[str]) -> str:
    return parts[0] if len(set(parts)) == 1 else f"[{', '.join(parts)}]"


def rank_in_words(rank_fraction: float | None, rank_fractions: Mapping[str, float] | Sequence[float] | None) -> str:
    """Return `0.5`, or `1/0.5/0.5/0.25` where layers have their own; `dense` without a rank."""
    if rank_fractions:
        shares = rank_fractions.values() if isinstance(rank_fractions, Mapping) else rank_fractions
        return "/".join(f"{fraction:g}" for fraction in shares)
    return "dense" if rank_fraction is None else f"{rank_fraction:g}"


def settings_of(row: Any) -> dict[str, Any]:
    """The settings of the model of a result row (or another value with such fields), with its sweep."""
    found: dict[str, Any] = {"sweep": value_of(row, "sweep")}
    for section in _OF_MODELS:
        found |= {name: value_of(row, field) for name, field in FIELDS.items() if name.startswith(f"{section}.")}
        for field in SECTIONS[section]:
            found |= {f"{section}.{name}": value for name, value in held(row, field).items()}
    return _applicable({**found, "seed": value_of(row, "seed"), "until": value_of(row, "until")})


def column_names(rows: Sequence[Any]) -> tuple[str, ...]:
    """The settings of result rows, or of models, that their fields do not say: those of components, metrics, and others that vary."""
    models = {(value_of(row, "sweep"), value_of(row, "model_key")): row for row in rows}
    own = own_names(rows)
    said = {*FIELDS, "sweep", "seed", "until", *(f"{section}.{name}" for section in SECTIONS for name in own)}
    return (*own, *(name for name in Axes.of(map(settings_of, models.values())).titles if name not in said))


def job_settings(jobs: Iterable[Job]) -> dict[str, dict[str, Any]]:
    """The settings of the models that these jobs train, by key; their ancestors must be among the jobs."""
    models = [job for job in jobs if isinstance(job.spec, TrainSpec)]
    parents = {job.key: job.parents["weights"] for job in models if "weights" in job.parents}
    return lineages({job.key: plain(job.spec) for job in models}, parents)


def plain(spec: JobSpec) -> dict[str, Any]:
    """A spec as plain data, the own settings of each component among its other fields, as a space file has them."""
    return {**spec.model_dump(mode="json"), **{name: part.flat for name, part in spec if isinstance(part, ComponentSpec)}}


def lineages(specs: Mapping[str, Mapping[str, Any]], parents: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The settings of models, and of the trainings of them and their ancestors, by key.

    Args:
        specs: the training specs of the models and their ancestors, components' own settings among their other fields, by key.
        parents: for each model that started from another's weights, the key of that one.
    """
    return {key: _lineage(key, specs, parents) for key in specs}


def _lineage(key: str, specs: Mapping[str, Mapping[str, Any]], parents: Mapping[str, str]) -> dict[str, Any]:
    spec = specs[key]
    trained = _trained(key, specs, parents)
    found = {f"{section}.{name}": value for section in ("data", "model") for name, value in spec[section].items()}
    found |= {f"{section}.{name}": value for section in ("training", "fine_tuning") for name, value in trained.get(section, {}).items()}
    found |= {f"defence.{name}": value for name, value in spec.get("defence", {"name": "none"}).items()}
    return _applicable({**found, "seed": spec["seed"], "until": spec.get("until")})


def _trained(key: str, specs: Mapping[str, Mapping[str, Any]], parents: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The settings of the training from scratch and of the last fine-tuning; a defence that is put around a model repeats its settings."""
    before = _trained(parents[key], specs, parents) if parents.get(key) in specs else {}
    stage = specs[key]["stage"]
    if stage == "select":  # of what its parent trained
        stage = specs[parents[key]]["stage"] if parents.get(key) in specs else "pretrain"
    section = _SECTION_OF_STAGE.get(stage)
    return before if section is None else {**before, section: {k: v for k, v in specs[key]["training"].items() if k != "recipe"}}


def _applicable(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that mean something: a dense net has no rank, one without a sketch no settings of that."""
    idle = set() if settings.get("model.tensorized", True) else {f"model.{name}" for name in TUCKER_SETTINGS}
    idle |= {f"model.{name}" for name in SKETCH_SETTINGS} if settings.get("model.theta") == 1 else set()
    idle |= {"model.sketch_modes"} if settings.get("model.factorization") == "cp" else set()
    idle |= {"model.rank_fraction"} if settings.get("model.rank_fractions") else {"model.rank_fractions"}
    idle |= {"data.extra", "data.extra_share"} if settings.get("data.extra") is None else set()
    idle |= {name for name in ("until", "seed", "sweep") if settings.get(name) is None}
    return {name: as_written(name.rpartition(".")[2], value) for name, value in settings.items() if name not in idle}


def _is_told(name: str, models: Sequence[ModelSettings]) -> bool:
    """Tell if a setting of a fine-tuning is that of the training in every model that has it."""
    section, _, short = name.rpartition(".")
    if section != "fine_tuning":
        return False
    return all(model[name] == model.get(f"training.{short}") for model in models if name in model)
