"""Checks of rows from elsewhere: every value is one that a launch could have written, so that all readers find what they expect."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import chain
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, FiniteFloat, JsonValue, TypeAdapter, ValidationError
from sqlalchemy import JSON, BigInteger, Boolean, Column, Double, Integer, LargeBinary, String, Table

from orchestrator.naming.names import job_description
from orchestrator.statistics.verdict import Verdict
from orchestrator.statistics.verdict.attack_comparison import VerdictCheck
from orchestrator.store.reading.stored_specs import stored_spec
from orchestrator.store.schema.base import UtcDateTime
from orchestrator.store.schema.sweep_tables import LookReason
from workers.artifacts.outcomes import EpochRecord
from workers.artifacts.per_example import BYTES_EACH
from workers.errors import UserError
from workers.spec import fields
from workers.spec.diagnosis import ProbeKnowledge
from workers.spec.keys import KEY_VERSION

_SHOWN = 60
_OF_EACH_EXAMPLE = {"classes", "margins", "sizes"}
_HexKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
_Share = Annotated[float, Field(ge=0, le=1)]
_Part = Annotated[float, Field(gt=0, le=1)]
_Count = Annotated[int, Field(ge=1)]
_Literal = Annotated[str, AfterValidator(lambda text: str(fields.positive_fraction(text)))]
_Settings = dict[_Text, JsonValue]


class _Attack(BaseModel, extra="allow"):
    """An attack as it is stored with a diagnosis: the columns of `AttackResultRecord`."""

    attack: _Text
    norm: fields.NormName
    epsilon: FiniteFloat
    epsilon_literal: _Literal
    sign_gradient: fields.SignGradientName
    target: fields.TargetName
    restarts: _Count
    eot_samples: _Count
    selection_draws: _Count
    early_stop: bool
    backend: fields.BackendName
    settings: _Settings
    loss: _Text | None
    random_start: bool | None
    takes_gradients: bool | None
    selects: bool | None
    one_step: bool | None


class _Probe(BaseModel, extra="allow"):
    name: _Text
    attack: _Attack
    knowledge: ProbeKnowledge
    draws: Annotated[int, Field(ge=0)]
    n_correct: Annotated[int, Field(ge=0)]
    flags: str
    failure: _Text


_SHAPES: dict[str, Any] = {
    **dict.fromkeys(("key", "job_key", "child_key", "parent_key", "model_key", "source_key", "resumed_key", "environment_id"), _HexKey),
    **dict.fromkeys(("epsilon_literal", "literal"), _Literal),
    **dict.fromkeys(("n_examples", "draws", "batch_size", "restarts", "eot_samples", "selection_draws", "resolution"), _Count),
    **dict.fromkeys(("zero_gradients", "nonfinite_gradients", "accuracy", "ci_low", "ci_high"), _Share),
    **dict.fromkeys(("theta", "rank_fraction"), _Part),
    **dict.fromkeys(("clean_loss", "least_loss", "greatest_loss"), float),
    "epsilon": Annotated[float, Field(gt=0, allow_inf_nan=False)],
    "seconds": Annotated[float, Field(ge=0, allow_inf_nan=False)],
    "stage": fields.Stage,
    "state": Literal["planned", "done", "failed"],
    "outcome": Literal["running", "done", "failed", "interrupted"],
    "reason": LookReason,
    "rank_kind": fields.RankKind,
    "sketch_modes": fields.SketchModes,
    "split": fields.SplitName,
    "validation_examples": Annotated[float, Field(ge=0, allow_inf_nan=False)],
    "adversarial_training": fields.AdversarialTraining,
    "norm": fields.NormName,
    "sign_gradient": fields.SignGradientName,
    "target": fields.TargetName,
    "backend": fields.BackendName,
    "example_order": fields.ExampleOrder,
    "severity": Annotated[int, Field(ge=1, le=5)],
    "direction": fields.SurfaceDirection,
    "knowledge": fields.Knowledge | Literal["any"],
    "verdict": Verdict,
    "versions": dict[_Text, _Text],
    "digests": dict[_Text, _Text],
    "plugins": list[_Settings],
    "rank": dict[_Text, list[int]],
    "rank_fractions": dict[_Text, _Part],
    "metrics": dict[_Text, FiniteFloat | None],
    "history": list[EpochRecord],
    "probes": list[_Probe],
    "checks": list[VerdictCheck],
    "shard_results.attack": Annotated[_Settings, AfterValidator(_Attack.model_validate)],
}
"""Kinds of values by the names of columns, of one table's or of all. What is not named here has the kind of its column's type."""
_KINDS: tuple[tuple[type, Any], ...] = (
    (JSON, _Settings),
    (String, _Text),
    (Boolean, bool),
    (BigInteger, int),
    (Integer, Annotated[int, Field(ge=0)]),
    (Double, FiniteFloat),
    (UtcDateTime, datetime),
    (LargeBinary, bytes),
)


def check_rows(place: str, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Check rows that are to be inserted: of each column every value that is another, all together, then each row by itself.

    Args:
        place: where they come from, for the message.
        table: where they go.
        rows: what a database would be given; columns that are left out have their defaults.

    Raises:
        UserError: the first value that the table's columns, or its readers, do not take.
    """
    for name in dict.fromkeys(chain.from_iterable(rows)):
        for value, problem in _wrong_values(table.columns[name], [row[name] for row in rows if name in row]):
            raise UserError(f"import {place}: {name} {json.dumps(value, default=str)[:_SHOWN]}: {problem}")
    for row in rows:
        if (wrong := contradiction(row)) is not None:
            raise UserError(f"import {place}: {wrong}")


def _wrong_values(column: Column[Any], values: Iterable[Any]) -> Iterator[tuple[Any, str]]:
    """Yield the values that the column's readers do not take, each with the reason; equal ones once."""
    different = _different(values)
    try:
        _adapter_of_many(column).validate_python(different)
    except ValidationError:
        yield from ((value, problem) for value in different if (problem := value_problem(column, value)))


def _different(values: Iterable[Any]) -> list[Any]:
    """Return one of all values that are equal and of one type; of lists and maps one of each object."""
    values = list(values)
    try:
        return list({(type(value), value): value for value in values}.values())
    except TypeError:
        return list({id(value): value for value in values}.values())


def value_problem(column: Column[Any], value: Any) -> str | None:
    """Describe why the column's readers do not take a value; None where they do."""
    try:
        _adapter(column).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))} {first['msg']}".strip()
    return None


@cache
def _adapter(column: Column[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(_kind(column))


@cache
def _adapter_of_many(column: Column[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(list[_kind(column)])  # type: ignore[arg-type,misc]


def _kind(column: Column[Any]) -> Any:
    kind = _SHAPES.get(str(column)) or _SHAPES.get(column.name) or next(kind for of, kind in _KINDS if isinstance(column.type, of))
    if isinstance(column.type, String) and column.type.length:
        kind = Annotated[kind, Field(max_length=column.type.length)]
    if isinstance(column.type, JSON | LargeBinary):
        kind = Annotated[kind, Field(strict=True)]
    return kind | None if column.nullable else kind


def contradiction(row: Mapping[str, Any]) -> str | None:
    """Describe what does not go together in a row; None where all does."""
    if "spec" in row:
        return _wrong_spec(row)
    sizes = {"n_examples": row.get("n_examples", 1)}
    if problem := _wrong_sizes(row):
        return problem
    if "flags" in row:
        return flags_problem(row["flags"], **sizes, draws=row.get("draws", 1), n_correct=row["n_correct"])
    for probe in row.get("probes", ()):
        try:
            flags = base64.b64decode(probe["flags"], validate=True)
        except ValueError:
            return f"probe {probe['name']}: flags are no base64"
        problem = flags_problem(flags, **sizes, draws=probe["draws"], n_correct=probe["n_correct"])
        if problem and not probe["failure"]:
            return f"probe {probe['name']}: {problem}"
    return None


def _wrong_sizes(row: Mapping[str, Any]) -> str | None:
    """Describe what is not of as many examples as the row, or which of these are beyond the last; None where all is right."""
    for name in _OF_EACH_EXAMPLE & row.keys():
        if row[name] is not None and len(row[name]) != BYTES_EACH * row["n_examples"]:
            return f"{len(row[name])} bytes of {name} for {row['n_examples']} examples: must be {BYTES_EACH} each"
    if "first" in row and row["first"] + row["n_examples"] > row["of_examples"]:
        return f"examples {row['first']} to {row['first'] + row['n_examples']} of {row['of_examples']}"
    return None


def flags_problem(flags: bytes, *, n_examples: int, draws: int, n_correct: int) -> str | None:
    """Describe the error in packed flags, each draw's padded with zeros to whole bytes; None if there is none."""
    a_draw = -(-n_examples // 8)
    if len(flags) != draws * a_draw:
        return f"{len(flags)} bytes of flags for {n_examples} examples in {draws} draws: must be {draws * a_draw}"
    padding = (1 << (8 * a_draw - n_examples)) - 1
    if padding and any(flags[end - 1] & padding for end in range(a_draw, len(flags) + 1, a_draw)):
        return f"flags are set beyond the last of {n_examples} examples"
    counted = int.from_bytes(flags).bit_count()
    return None if counted == n_correct else f"n_correct is {n_correct}, its flags count {counted}"


def _wrong_spec(job: Mapping[str, Any]) -> str | None:
    """Describe what no reader of a job's spec can take; specs of older key versions are only described."""
    try:
        job_description(job["spec"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return f"spec of job {job['key']}: {type(error).__name__}: {error}"
    if job["key_version"] == KEY_VERSION and ((spec := stored_spec(job["spec"])) is None or spec.stage != job["stage"]):
        return f"spec of job {job['key']}: is none of stage {job['stage']}"
    return None
