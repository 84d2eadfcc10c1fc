"""Tables of verdicts and of worst cases: derived from a model's attacks and diagnoses in the transaction that changes them, so that they
are always up to date."""

import base64
import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Text, and_, cast, delete, func, insert, select

from orchestrator.statistics.verdict import RULES, AttackEvidence, Gradients, ModelEvidence, Repeats, judge
from orchestrator.store.connection.session import chunks
from orchestrator.store.reading.aggregate import result_table
from orchestrator.store.reading.measured import WORST_CASE
from orchestrator.store.reading.measurements import as_measurements, described_models, measured_columns
from orchestrator.store.reading.probes import probes_on
from orchestrator.store.reading.values import ResultRow
from orchestrator.store.schema.base import Row, utc_now
from orchestrator.store.schema.result_tables import AttackResultRecord, DiagnosisRecord, TrainedModelRecord, VerdictRecord, WorstCaseRecord
from orchestrator.store.schema.sweep_tables import JobParentRecord
from workers.artifacts.outcomes import unpack_flags
from workers.spec.attack import AFTER

_ATTACK = (
    "attack",
    "knowledge",
    "norm",
    "epsilon",
    "epsilon_literal",
    "loss",
    "random_start",
    "one_step",
    "target",
    "restarts",
    "eot_samples",
    "sign_gradient",
)
_EVALUATION = ("n_examples", "batch_size", "example_order", "split")
_SETTING = (*_ATTACK, "takes_gradients", "source_key", "selection_draws", "early_stop", "backend", *_EVALUATION)
_COLUMNS = AttackResultRecord.__table__.columns
_SETTINGS = tuple(_COLUMNS[name] for name in _SETTING)
_OWN = cast(_COLUMNS["settings"], Text).label("own")  # PostgreSQL compares no JSON
# Added up by the database: with every attack that comes in, all the others of its model are looked at.
_TOTALS = (
    select(
        func.aggregate_strings(AttackResultRecord.job_key, ",").label("job_keys"),
        func.sum(AttackResultRecord.draws).label("rows"),
        func.sum(AttackResultRecord.n_correct).label("n_correct"),
        _OWN,
        *_SETTINGS,
    )
    .group_by(_OWN, *_SETTINGS)
    .order_by(func.min(AttackResultRecord.job_key))
)
_FOUND = select(DiagnosisRecord.__table__)
_FACTS = TrainedModelRecord.randomised, TrainedModelRecord.low, TrainedModelRecord.high, TrainedModelRecord.n_classes


def refresh_verdict(connection: Connection, model_key: str) -> None:
    """Judge a model anew by all that is recorded of it now."""
    row = _verdict_row(connection, model_key)
    connection.execute(delete(VerdictRecord).where(VerdictRecord.model_key == model_key))
    if row is not None:
        connection.execute(insert(VerdictRecord), [row])


def _verdict_row(connection: Connection, model_key: str) -> Row | None:
    """Return the row of the verdict; None while the model was neither attacked nor diagnosed."""
    evidence = _evidence(connection, model_key)
    if not (evidence.attacks or evidence.gradients):
        return None
    judgement = judge(evidence)
    checks = [asdict(check) for check in judgement.checks]
    return {"model_key": model_key, "verdict": judgement.verdict, "checks": checks, "rules": RULES, "judged_at": utc_now()}


def unjudged_models(connection: Connection, job_keys: Iterable[str]) -> list[str]:
    """Return the models, sorted, that these jobs measure, and that have no verdict by the current rules though they have results."""
    jobs = set(job_keys)
    judged = select(VerdictRecord.model_key).where(VerdictRecord.rules == RULES)
    measured: set[str] = set()
    for record in (AttackResultRecord, DiagnosisRecord):
        statement = select(record.model_key).distinct().where(record.model_key.not_in(judged))
        measured |= set(connection.execute(statement).scalars())
    if not measured:
        return []
    edges = select(JobParentRecord.child_key, JobParentRecord.parent_key).where(JobParentRecord.role == "model")
    found = connection.execute(edges.where(JobParentRecord.parent_key.in_(measured)))
    return sorted({row.parent_key for row in found if row.child_key in jobs})


def _evidence(connection: Connection, model_key: str) -> ModelEvidence:
    diagnoses = connection.execute(_FOUND.where(DiagnosisRecord.model_key == model_key).order_by(DiagnosisRecord.job_key)).mappings().all()
    found = connection.execute(select(*_FACTS).where(TrainedModelRecord.job_key == model_key)).one_or_none()
    randomised, low, high, n_classes = found or (None,) * len(_FACTS)
    return ModelEvidence(
        randomised=randomised is not False,
        half_range=None if low is None or high is None else (high - low) / 2,
        n_classes=n_classes,
        attacks=(*_attacks(connection, model_key), *(probe for row in diagnoses for probe in _probes(row))),
        gradients=tuple(_gradients(row) for row in diagnoses),
    )


def _attacks(connection: Connection, model_key: str) -> Iterable[AttackEvidence]:
    """Yield the model's attacks in all sweeps, all repeats of one together. Flags stay in the database until they are loaded."""
    for row in connection.execute(_TOTALS.where(AttackResultRecord.model_key == model_key)).mappings().all():
        settings = json.loads(row["own"])
        if AFTER in settings:  # it was given what others had left: to be weaker on the rest is no wonder
            continue
        yield AttackEvidence(
            place=("results", row["split"], row["batch_size"], row["n_examples"], row["example_order"]),
            source=row["source_key"],
            n_examples=row["n_examples"],
            batch_size=row["batch_size"],
            rows=row["rows"],
            n_correct=row["n_correct"],
            load=_loader(connection, row["job_keys"].split(",")),
            settings=settings,
            gradients=row["takes_gradients"],
            **{name: row[name] for name in _ATTACK},
        )


def _loader(connection: Connection, job_keys: Sequence[str]) -> Callable[[], Repeats]:
    columns = AttackResultRecord.flags, AttackResultRecord.draws, AttackResultRecord.n_examples

    def load() -> Repeats:
        rows = connection.execute(select(*columns).where(AttackResultRecord.job_key.in_(job_keys)).order_by(AttackResultRecord.job_key))
        return [unpack_flags(row.flags, draws=row.draws, n_examples=row.n_examples) for row in rows]

    return load


def _probes(diagnosis: Mapping[Any, Any]) -> Iterable[AttackEvidence]:
    """Yield a diagnosis's attacks, each on the same examples, except those that stopped with an error."""
    for probe in diagnosis["probes"]:
        if probe["failure"]:
            continue
        attack = {**probe["attack"], "knowledge": probe["knowledge"]}
        yield AttackEvidence(
            place=("diagnosis", diagnosis["job_key"]),
            n_examples=diagnosis["n_examples"],
            rows=probe["draws"],
            n_correct=probe["n_correct"],
            load=_probe_loader(probe, n_examples=diagnosis["n_examples"]),
            settings=attack["settings"],
            gradients=attack["takes_gradients"],
            probe=True,
            **{name: attack[name] for name in _ATTACK},
        )


def _probe_loader(probe: Mapping[str, Any], *, n_examples: int) -> Callable[[], Repeats]:
    return lambda: [unpack_flags(base64.b64decode(probe["flags"]), draws=probe["draws"], n_examples=n_examples)]


def _gradients(diagnosis: Mapping[Any, Any]) -> Gradients:
    failures = tuple(f"{probe['name']}: {probe['failure']}" for probe in diagnosis["probes"] if probe["failure"])
    return Gradients(
        n_examples=diagnosis["n_examples"],
        zero=diagnosis["zero_gradients"],
        nonfinite=diagnosis["nonfinite_gradients"],
        failures=failures,
    )


_FIELDS = {"accuracy": "robust_accuracy", "batch_size": "evaluation_batch_size"}
_BALL = ("norm", "epsilon", "n_examples", "batch_size", "draws", "example_order", "split")
_WORST_CASE_COLUMNS = tuple(column.name for column in WorstCaseRecord.__table__.columns)


def refresh_worst_cases(connection: Connection, *models: str, ball: Row | None = None) -> None:
    """Compute models' worst cases anew, all of them or those of one `ball`, which is a row that has the columns norm, epsilon,
    n_examples, batch_size, draws, example_order and split. A model whose training is not recorded yet has none."""
    kept = _worst_cases(connection, *models, ball=ball)
    connection.execute(delete(WorstCaseRecord).where(and_(*_within(WorstCaseRecord, models, ball))))
    if kept:
        connection.execute(insert(WorstCaseRecord), kept)


def _worst_cases(connection: Connection, *models: str, ball: Row | None = None) -> list[Row]:
    described = described_models(connection, models)
    attacks = select(*measured_columns(AttackResultRecord)).where(*_within(AttackResultRecord, models, ball))
    measurements = as_measurements(connection.execute(attacks))
    return _kept(result_table(described, [], measurements, per_repeat=False, worst=True, probes=probes_on(connection, models)))


def outdated_models(connection: Connection, models: Sequence[str]) -> list[str]:
    """Return those of the models whose verdict or worst cases are not those of their results; those by earlier rules are, and the next
    launch judges again. Flags that cannot be read are left to other checks."""
    found: list[str] = []
    for some in chunks(sorted(models)):
        try:
            found += _outdated(connection, some)
        except ValueError:
            found += [key for key in some if _outdated_alone(connection, key)]
    return found


def _outdated_alone(connection: Connection, model_key: str) -> bool:
    try:
        return bool(_outdated(connection, [model_key]))
    except ValueError:
        return False


def _outdated(connection: Connection, models: Sequence[str]) -> list[str]:
    """Compare what is stored of all these models with what follows from their results, which is read at once."""
    judged, worst = (
        _by_model(connection.execute(select(record.__table__).where(record.model_key.in_(models))).mappings())
        for record in (VerdictRecord, WorstCaseRecord)
    )
    of_today = [key for key in models if all(stored["rules"] == RULES for stored in judged[key])]
    derived = _by_model(_worst_cases(connection, *of_today))
    return [key for key in of_today if not (_agree(worst[key], derived[key]) and _is_judged_so(connection, key, judged[key]))]


def _is_judged_so(connection: Connection, model_key: str, stored: Sequence[Row]) -> bool:
    row = _verdict_row(connection, model_key)
    return _agree(stored, [] if row is None else [row])


def _by_model(rows: Iterable[Mapping[Any, Any]]) -> defaultdict[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["model_key"]].append({str(name): value for name, value in row.items()})
    return found


def _agree(stored: Sequence[Row], derived: Sequence[Row]) -> bool:
    """Compare rows in any order; their last bits depend on how many are derived at once, and on the processor."""
    return _is_close(_in_order(stored), _in_order(derived))


def _in_order(rows: Sequence[Row]) -> list[Any]:
    plain = [json.loads(json.dumps({name: value for name, value in row.items() if name != "judged_at"})) for row in rows]
    return sorted(plain, key=lambda row: [str(value) for value in row.values() if not isinstance(value, float)])


def _is_close(one: Any, other: Any) -> bool:
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(_is_close(value, other[name]) for name, value in one.items())
        case list(), list():
            return len(one) == len(other) and all(map(_is_close, one, other))
        case float(), int() | float():
            return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12) or (math.isnan(one) and math.isnan(other))
    return bool(one == other)


def _within(record: type[AttackResultRecord | WorstCaseRecord], models: Sequence[str], ball: Row | None) -> list[Any]:
    of_ball = [] if ball is None else [getattr(record, name) == ball[name] for name in _BALL]
    return [record.model_key.in_(models), *of_ball]


def _kept(rows: Sequence[ResultRow]) -> list[dict[str, Any]]:
    worst = [row for row in rows if row.attack == WORST_CASE and row.robust_accuracy is not None]
    return [{name: getattr(row, _FIELDS.get(name, name)) for name in _WORST_CASE_COLUMNS} for row in worst]
