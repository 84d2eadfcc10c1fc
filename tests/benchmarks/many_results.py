"""A database of the size that a laboratory has after years: a million attack results with their jobs, inserted as they are."""

import hashlib
import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert

from orchestrator.store import Store
from orchestrator.store.schema.base import Base
from orchestrator.store.schema.result_tables import (
    AttackResultRecord,
    CleanResultRecord,
    EnvironmentRecord,
    TrainedModelRecord,
    WorstCaseRecord,
)
from orchestrator.store.schema.sweep_tables import AttemptRecord, JobParentRecord, JobRecord, SweepJobRecord, SweepRecord

ATTACKS = ("fgsm", "bim", "pgd", "apgd_ce", "square")
KNOWLEDGE = ("randomized", "omniscient")
EPSILONS = (1, 2, 4, 8, 16)
REPEATS = 10
RESULTS_PER_MODEL = len(ATTACKS) * len(KNOWLEDGE) * len(EPSILONS) * REPEATS
_CHUNK = 20_000
_START = datetime(2026, 1, 1, tzinfo=UTC)
Row = dict[str, Any]


def fill(store: Store, *, models: int, sweeps: int, examples: int) -> None:
    """Insert `models` models in `sweeps` sweeps, each attacked `RESULTS_PER_MODEL` times on `examples` examples."""
    generator = np.random.default_rng(0)
    with store.writing() as connection:
        connection.execute(insert(EnvironmentRecord), [_ENVIRONMENT])
        connection.execute(
            insert(SweepRecord), [{"name": f"sweep-{number}", "space": "", "created_at": _START} for number in range(sweeps)]
        )
    for first in range(0, models, 50):
        with store.writing() as connection:
            for number in range(first, min(first + 50, models)):
                for record, rows in _model(number, sweep=1 + number % sweeps, examples=examples, generator=generator):
                    _insert(connection, record, rows)


def _insert(connection: Connection, record: type[Base], rows: list[Row]) -> None:
    for start in range(0, len(rows), _CHUNK):
        connection.execute(insert(record), rows[start : start + _CHUNK])


def _key(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


_ENVIRONMENT: Row = {"id": _key("environment"), "host": "h", "device": "cpu", "threads": 1, "git_revision": None, "versions": {}}


def _model(number: int, *, sweep: int, examples: int, generator: np.random.Generator) -> Iterator[tuple[type[Base], list[Row]]]:
    model, theta = _key("model", number), (1.0, 0.95, 0.9, 0.8)[number % 4]
    clean = [_key("clean", number, repeat) for repeat in range(REPEATS)]
    cells = list(itertools.product(ATTACKS, KNOWLEDGE, EPSILONS, range(REPEATS)))
    attacks = [_key("attack", number, *cell) for cell in cells]
    keys = [(model, "pretrain"), *((key, "evaluate") for key in clean), *((key, "attack") for key in attacks)]
    spec = json.dumps({"stage": "evaluate", "data": {"name": "cifar10"}, "repeat": 0, "filling": "x" * 600})
    yield JobRecord, [{"key": key, "key_version": 1, "stage": stage, "spec": spec, "state": "done"} for key, stage in keys]
    yield JobParentRecord, [{"child_key": key, "role": "model", "parent_key": model} for key, _ in keys[1:]]
    yield SweepJobRecord, [{"sweep_id": sweep, "job_key": key, "in_space": True, "stage": stage} for key, stage in keys]
    started, finished = _START + timedelta(minutes=number), _START + timedelta(minutes=number, seconds=1)
    ran = {"number": 1, "sweep_id": sweep, "started_at": started, "finished_at": finished, "outcome": "done"}
    yield AttemptRecord, [{"job_key": key, **ran} for key, _ in keys]
    yield TrainedModelRecord, [_trained(number, model, theta)]
    yield WorstCaseRecord, [_worst(model, knowledge, epsilon, examples) for knowledge in (*KNOWLEDGE, "any") for epsilon in EPSILONS]
    measured = {"model_key": model, "n_examples": examples, "batch_size": 256, **_ran(number)}
    flags = generator.integers(0, 256, (len(keys), -(-examples // 8)), dtype=np.uint8)
    counts = np.bitwise_count(flags).sum(axis=1).tolist()  # of the whole bytes that all benchmarks fill
    yield CleanResultRecord, [_outcome(key, repeat, flags[repeat], counts[repeat]) | measured for repeat, key in enumerate(clean)]
    yield (
        AttackResultRecord,
        [
            _outcome(key, repeat, flags[place], counts[place]) | measured | _attack(attack, knowledge, epsilon)
            for place, (key, (attack, knowledge, epsilon, repeat)) in enumerate(zip(attacks, cells, strict=True))
        ],
    )


def _ran(number: int) -> Row:
    return {"seconds": 1.0, "environment_id": _ENVIRONMENT["id"], "finished_at": _START + timedelta(minutes=number)}


def _outcome(key: str, repeat: int, flags: Any, n_correct: int) -> Row:
    return {"job_key": key, "repeat": repeat, "flags": flags.tobytes(), "n_correct": n_correct, "draws": 1}


def _attack(attack: str, knowledge: str, epsilon: int) -> Row:
    size = {"epsilon": epsilon / 255, "epsilon_literal": f"{epsilon}/255"}
    settings = {"steps": 10, "abs_stepsize": 1 / 255, "loss": "ce"}
    facts = {"loss": "ce", "random_start": attack == "pgd", "takes_gradients": True, "selects": False, "one_step": attack == "fgsm"}
    return {"attack": attack, "knowledge": knowledge, "norm": "linf", **size, "settings": settings, "metrics": {}, **facts}


def _worst(model: str, knowledge: str, epsilon: int, examples: int) -> Row:
    among = {"knowledge": knowledge, "norm": "linf", "epsilon": epsilon / 255, "epsilon_literal": f"{epsilon}/255", "attacks": len(ATTACKS)}
    measured = {"n_examples": examples, "batch_size": 256, "draws": 1, "accuracy": 0.5, "ci_low": 0.4, "ci_high": 0.6}
    return {"model_key": model, **among, **measured}


def _trained(number: int, key: str, theta: float) -> Row:
    tucker = {"tensorized": True, "rank_fraction": (0.25, 0.5, 1.0)[number % 3], "rank_kind": "channels", "rank": {"layer": [4, 4, 3, 3]}}
    sketch = {"theta": theta, "sketch_modes": "channels", "rescale": True, "binary": False}
    history = [{"epoch": epoch, "loss": 1.0, "accuracy": 0.5, "learning_rate": 0.1} for epoch in range(30)]
    network = {"dataset": "cifar10", "train_examples": None, "model": "resnet18", "n_parameters": 1000, **tucker, **sketch}
    trained = {"adversarial_training": "none", "seed": number // 12, "epochs": 30, "history": history, "defence": "none"}
    settings = {"model_settings": {"width": 64}, "model_options": {"init": "random"}, "data_settings": {}, "training": {"epochs": 30}}
    facts = {"modality": "image", "n_classes": 10, "low": 0.0, "high": 1.0, "randomised": theta < 1}
    return {"job_key": key, **network, **trained, **settings, **facts, **_ran(number)}
