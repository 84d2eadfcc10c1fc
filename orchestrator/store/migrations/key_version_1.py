"""Rows of results of schema 0006 and earlier in today's form. What a name said then is in the tables here, and changes no more."""

import json
from collections.abc import Callable, Mapping
from typing import Any

_ATTACKS: dict[str, tuple[tuple[str, ...], str]] = {
    "apgd_ce": (("steps",), "takes_gradients random_start selects"),
    "apgd_dlr": (("steps",), "takes_gradients random_start selects"),
    "bim": (("steps", "abs_stepsize", "loss"), "takes_gradients"),
    "fgsm": (("loss",), "takes_gradients one_step"),
    "mi_fgsm": (("steps", "abs_stepsize", "loss", "momentum"), "takes_gradients"),
    "noise": ((), "random_start one_step"),
    "pgd": (("steps", "abs_stepsize", "loss"), "takes_gradients random_start"),
    "square": (("steps",), "random_start selects"),
}
"""The own settings of each attack, and its facts."""
LAST_REVISION = "0006"
RETIRED = {
    "trained_models": {"width", "stage_rank_fractions"},
    "attack_results": {"steps", "abs_stepsize", "momentum", "snr_db"},
}
"""The columns that tables have no more."""
_FACTS = ("takes_gradients", "random_start", "selects", "one_step")
_OWN = {"steps": 1, "abs_stepsize": 0.0, "loss": "ce", "momentum": 0.0}
"""The columns of all attacks, and their values where an early schema had none."""

_IMAGE = {"modality": "image", "n_classes": 10, "low": 0.0, "high": 1.0}
_AUDIO = {"modality": "audio", "n_classes": 12, "low": -1.0, "high": 1.0}
_DATASETS = {"cifar10": _IMAGE, "digits": _IMAGE, "speech_commands": _AUDIO, "tones": _AUDIO}
_RANDOMISED = ("defensive_dropout", "random_resize_pad", "stochastic_activation_pruning")
_PLACES: dict[str, Callable[[int], str]] = {
    "resnet18": lambda stage: rf"blocks\.({2 * stage}|{2 * stage + 1})\.",
    "soundnet5": lambda stage: rf"features\.({4 + 4 * stage}|{5 + 4 * stage})$",
    "logmel": lambda stage: rf"features\.({5 + 4 * stage}|{6 + 4 * stage})$",
}
"""The layers of each stage after the first convolution."""
_OPTIONS = {
    "tensorize_first": False,
    "tensorize_linear": False,
    "execution": "auto",
    "all_zero": "keep",
    "draws": "batch",
    "init": "random",
}


def trained_model(row: Mapping[Any, Any], spec_text: str) -> dict[str, Any]:
    """A row of trained models in today's columns, given the JSON of its job's spec."""
    spec = json.loads(spec_text)
    model, data, training = spec["model"], spec["data"], spec["training"]
    kept = {name: value for name, value in row.items() if name not in RETIRED["trained_models"]}
    return {
        **kept,
        **_DATASETS.get(row["dataset"], {}),
        "rank_fractions": _by_pattern(row["model"], row.get("stage_rank_fractions")),
        "model_settings": {"width": row["width"]},
        "model_options": {name: model.get(name, usual) for name, usual in _OPTIONS.items()},
        "data_settings": {"split_lists": data.get("split_lists", "official")} if row["dataset"] == "speech_commands" else {},
        "training": {"loss": "cross_entropy", **{name: value for name, value in training.items() if name != "recipe"}},
        "randomised": row["theta"] < 1 or row.get("defence") in _RANDOMISED,
    }


def _by_pattern(model: str, fractions: list[float] | None) -> dict[str, Any] | None:
    place = _PLACES.get(model)
    return {place(stage): share for stage, share in enumerate(fractions)} if fractions and place else None


def attack_result(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row of attack results in today's columns."""
    others = {name: value for name, value in row.items() if name not in (*_OWN, "snr_db", "random_start")}
    metrics = {} if row.get("snr_db") is None else {"snr_db": row["snr_db"]}
    return {**others, **_attack(row["attack"], row), "metrics": metrics}


def diagnosis(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row of diagnoses with the attacks of its probes in today's form."""
    return {**row, "probes": list(map(_probe, row["probes"]))}


def _probe(row: Mapping[str, Any]) -> dict[str, Any]:
    attack = row["attack"]
    others = {name: value for name, value in attack.items() if name not in (*_OWN, "random_start", "name")}
    return {**row, "attack": {"attack": attack["name"], **others, **_attack(attack["name"], attack)}}


def _attack(name: str, row: Mapping[Any, Any]) -> dict[str, Any]:
    """The own settings of an attack, and its facts; those of an unknown one are unknown."""
    own, facts = _ATTACKS.get(name, (tuple(_OWN), None))
    known = {fact: None if facts is None else fact in facts.split() for fact in _FACTS}
    return {"settings": {setting: row.get(setting, _OWN[setting]) for setting in own}, "loss": row.get("loss", "ce"), **known}
