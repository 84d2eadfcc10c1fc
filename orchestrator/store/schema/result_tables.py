"""Tables of results, one row per finished job. Rows never leave the store."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Table, false
from sqlalchemy.orm import Mapped, mapped_column

from orchestrator.store.schema.base import Base, EnvironmentId, Key, ModelKey, Name, PrimaryJobKey, Word


class EnvironmentRecord(Base):
    """Environment in which jobs ran; `id` is the SHA-256 of the content."""

    __tablename__ = "environments"

    id: Mapped[Key] = mapped_column(primary_key=True)
    host: Mapped[Name]
    device: Mapped[Name]
    threads: Mapped[int]
    git_revision: Mapped[Name | None]
    versions: Mapped[dict[str, Any]]


class TrainedModelRecord(Base):
    """Trained model; a dense one has neither rank nor `rank_fraction`, an undefended one no `defence_settings`. `until` is the epoch
    of its schedule after which it was stopped, null at the end; `seconds` are those of the epochs after the rung `resumed_key`, if any.

    Where layers have ranks of their own, these are its `rank_fractions` by patterns of names, and `rank_fraction` is their mean.
    `modality`, `n_classes`, `low`, `high` (bounds of legal inputs) and `randomised` (forward passes draw) are facts of its components,
    null where none is known. `model_settings`, `data_settings` and `defence_settings` are its components' own; `training` is all of its
    own training, `model_options` the fields of `ModelSpec` that have no column.

    Columns that a migration added come last, in the order in which the database has them.
    """

    __tablename__ = "trained_models"

    job_key: Mapped[PrimaryJobKey]
    dataset: Mapped[Name]
    train_examples: Mapped[int | None]
    model: Mapped[Name]
    tensorized: Mapped[bool]
    theta: Mapped[float]
    rank_fraction: Mapped[float | None]
    rank_kind: Mapped[Word]
    rank: Mapped[dict[str, Any] | None]
    sketch_modes: Mapped[Word]
    rescale: Mapped[bool]
    binary: Mapped[bool]
    adversarial_training: Mapped[Word]
    seed: Mapped[int] = mapped_column(BigInteger)
    epochs: Mapped[int]
    n_parameters: Mapped[int] = mapped_column(BigInteger)
    history: Mapped[list[dict[str, Any]]]
    seconds: Mapped[float]
    environment_id: Mapped[EnvironmentId]
    finished_at: Mapped[datetime]
    defence: Mapped[Name] = mapped_column(server_default="none")
    defence_settings: Mapped[dict[str, Any] | None]
    until: Mapped[int | None]
    resumed_key: Mapped[Key | None]
    rank_fractions: Mapped[dict[str, Any] | None]
    model_settings: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    model_options: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    data_settings: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    training: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    modality: Mapped[Word | None]
    n_classes: Mapped[int | None]
    low: Mapped[float | None]
    high: Mapped[float | None]
    randomised: Mapped[bool | None]
    validation_examples: Mapped[float] = mapped_column(server_default="0")


class CleanResultRecord(Base):
    """Clean accuracy of a model on a split in one repeat; `flags` are the packed bits of `FlagsOutcome`, of all its `draws`,
    `classes` and `margins` the bytes of `PerExample`, null in results of older versions. `example_order` is that in which the first
    `n_examples` were taken.

    `model_key` refers to the job, not to its row: a result found by its artifact may be recorded before its model is.
    """

    __tablename__ = "clean_results"

    job_key: Mapped[PrimaryJobKey]
    model_key: Mapped[ModelKey]
    repeat: Mapped[int]
    n_examples: Mapped[int]
    batch_size: Mapped[int]
    n_correct: Mapped[int]
    flags: Mapped[bytes]
    seconds: Mapped[float]
    environment_id: Mapped[EnvironmentId]
    finished_at: Mapped[datetime]
    draws: Mapped[int] = mapped_column(server_default="1")
    classes: Mapped[bytes | None]
    margins: Mapped[bytes | None]
    example_order: Mapped[Word] = mapped_column(server_default="balanced")
    split: Mapped[Word] = mapped_column(server_default="test")


class CraftedExamplesRecord(Base):
    """Adversarial examples made on a model's full weights; the attack is in the job's spec."""

    __tablename__ = "crafted_examples"

    job_key: Mapped[PrimaryJobKey]
    model_key: Mapped[ModelKey]
    n_examples: Mapped[int]
    max_perturbation: Mapped[float]
    seconds: Mapped[float]
    environment_id: Mapped[EnvironmentId]
    finished_at: Mapped[datetime]


class AttackResultRecord(Base):
    """Robust accuracy of a model under one attack in one repeat, with every field of `AttackSettings`; `epsilon` in input units.
    `settings` are the attack's own. `source_key` is the model on which transferred examples were made, `metrics` are measured of the
    attacked examples.

    `classes`, `margins` and `sizes` are the bytes of `PerExample`, passes and `queries` are `Spent`; null in results of older versions.

    `loss` (by which outcomes are compared), `random_start`, `takes_gradients`, `selects` and `one_step` are facts of the attack, null
    where they are not known.

    Columns that a migration added come last, in the order in which the database has them.
    """

    __tablename__ = "attack_results"
    __table_args__ = (Index(None, "attack", "epsilon_literal", "knowledge"),)

    job_key: Mapped[PrimaryJobKey]
    model_key: Mapped[ModelKey]
    attack: Mapped[Name]
    knowledge: Mapped[Word]
    norm: Mapped[Word]
    epsilon: Mapped[float]
    epsilon_literal: Mapped[Name]
    random_start: Mapped[bool | None]
    repeat: Mapped[int]
    n_examples: Mapped[int]
    batch_size: Mapped[int]
    n_correct: Mapped[int]
    flags: Mapped[bytes]
    seconds: Mapped[float]
    environment_id: Mapped[EnvironmentId]
    finished_at: Mapped[datetime]
    sign_gradient: Mapped[Word] = mapped_column(server_default="identity")
    loss: Mapped[Name | None]
    target: Mapped[Word] = mapped_column(server_default="none")
    restarts: Mapped[int] = mapped_column(server_default="1")
    eot_samples: Mapped[int] = mapped_column(server_default="1")
    selection_draws: Mapped[int] = mapped_column(server_default="1")
    early_stop: Mapped[bool] = mapped_column(server_default=false())
    backend: Mapped[Word] = mapped_column(server_default="native")
    draws: Mapped[int] = mapped_column(server_default="1")
    source_key: Mapped[Key | None]
    settings: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    metrics: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    takes_gradients: Mapped[bool | None]
    selects: Mapped[bool | None]
    one_step: Mapped[bool | None]
    classes: Mapped[bytes | None]
    margins: Mapped[bytes | None]
    sizes: Mapped[bytes | None]
    forward_passes: Mapped[int | None] = mapped_column(BigInteger)
    backward_passes: Mapped[int | None] = mapped_column(BigInteger)
    queries: Mapped[int | None] = mapped_column(BigInteger)
    example_order: Mapped[Word] = mapped_column(server_default="balanced")
    split: Mapped[Word] = mapped_column(server_default="test")


class ShardResultRecord(Base):
    """Outcome of one attack on a model on a shard of the examples: `n_examples` of `of_examples`, from the place `first` of the order. It
    is no result by itself, and therefore in no other table: a whole one is joined from all shards, and is an `AttackResultRecord`.

    `attack` has the attack's columns as `AttackResultRecord` has them, its facts included; other columns are as there. Of a suite's parts
    `after` names the attacks before it."""

    __tablename__ = "shard_results"

    job_key: Mapped[PrimaryJobKey]
    model_key: Mapped[ModelKey]
    attack: Mapped[dict[str, Any]]
    after: Mapped[str]
    knowledge: Mapped[Word]
    source_key: Mapped[Key | None]
    repeat: Mapped[int]
    split: Mapped[Word]
    example_order: Mapped[Word]
    first: Mapped[int]
    n_examples: Mapped[int]
    of_examples: Mapped[int]
    batch_size: Mapped[int]
    draws: Mapped[int]
    n_correct: Mapped[int]
    flags: Mapped[bytes]
    forward_passes: Mapped[int | None] = mapped_column(BigInteger)
    backward_passes: Mapped[int | None] = mapped_column(BigInteger)
    queries: Mapped[int | None] = mapped_column(BigInteger)
    seconds: Mapped[float]
    environment_id: Mapped[EnvironmentId]
    finished_at: Mapped[datetime]


class DiagnosisRecord(Base):
    """Measurements of a model's gradients, and results of standard attacks on the same few examples.

    `zero_gradients` and `nonfinite_gradients` are shares in [0, 1], and `probes` are, as in `DiagnosisOutcome`; the attack of each is as
    `AttackResultRecord` has it, its facts included.
    """

    __tablename__ = "diagnoses"

    job_key: Mapped[PrimaryJobKey]
    model_key: Mapped[ModelKey]
    epsilon: Mapped[float]
    epsilon_literal: Mapped[Name]
    n_examples: Mapped[int]
    draws: Mapped[int]
    zero_gradients: Mapped[float]
    nonfinite_gradients: Mapped[float]
    probes: Mapped[list[dict[str, Any]]]
    seconds: Mapped[float]
    environment_id: Mapped[EnvironmentId]
    finished_at: Mapped[datetime]


class SurfaceRecord(Base):
    """Summary of a grid of losses around one test example; the grid itself is in the job's artifact. `extent` is in input units.

    `source_key` is the model whose gradient gives the square its direction: `model_key` itself, or its ancestor without a sketch.
    """

    __tablename__ = "surfaces"

    job_key: Mapped[PrimaryJobKey]
    model_key: Mapped[ModelKey]
    example: Mapped[int]
    direction: Mapped[Word]
    extent: Mapped[float]
    resolution: Mapped[int]
    draws: Mapped[int]
    norm: Mapped[Word]
    clip: Mapped[bool]
    source_key: Mapped[Key]
    label: Mapped[int]
    clean_loss: Mapped[float]
    least_loss: Mapped[float]
    greatest_loss: Mapped[float]
    seconds: Mapped[float]
    environment_id: Mapped[EnvironmentId]
    finished_at: Mapped[datetime]


class CorruptionResultRecord(Base):
    """Accuracy of a model on images under one common corruption at one severity, in one repeat; `seed` is that of what is drawn, `settings`
    the corruption's own, `flags` the packed bits of `FlagsOutcome`."""

    __tablename__ = "corruption_results"

    job_key: Mapped[PrimaryJobKey]
    model_key: Mapped[ModelKey]
    corruption: Mapped[Name]
    severity: Mapped[int]
    seed: Mapped[int] = mapped_column(BigInteger)
    settings: Mapped[dict[str, Any]]
    repeat: Mapped[int]
    n_examples: Mapped[int]
    example_order: Mapped[Word]
    batch_size: Mapped[int]
    draws: Mapped[int]
    n_correct: Mapped[int]
    flags: Mapped[bytes]
    seconds: Mapped[float]
    environment_id: Mapped[EnvironmentId]
    finished_at: Mapped[datetime]


class VerdictRecord(Base):
    """Verdict on whether a model's figures can be believed, by everything that the store holds of it; `checks` holds each check with its
    numbers, `rules` is the version of the rules by which it was judged."""

    __tablename__ = "verdicts"

    model_key: Mapped[PrimaryJobKey]
    verdict: Mapped[Word]
    checks: Mapped[list[dict[str, Any]]]
    rules: Mapped[int]
    judged_at: Mapped[datetime]


class WorstCaseRecord(Base):
    """Accuracy of a model under the attack that harms each example most, over all attacks that the store holds at one epsilon.

    `knowledge` is that of the attacks, or `any` for all of them together; `attacks` counts them. `epsilon` is in input units. The
    interval is a 95 % one.
    """

    __tablename__ = "worst_cases"

    model_key: Mapped[PrimaryJobKey]
    knowledge: Mapped[Word] = mapped_column(primary_key=True)
    norm: Mapped[Word] = mapped_column(primary_key=True)
    epsilon: Mapped[float] = mapped_column(primary_key=True)
    n_examples: Mapped[int] = mapped_column(primary_key=True)
    batch_size: Mapped[int] = mapped_column(primary_key=True)
    draws: Mapped[int] = mapped_column(primary_key=True)
    epsilon_literal: Mapped[Name]
    attacks: Mapped[int]
    accuracy: Mapped[float]
    ci_low: Mapped[float]
    ci_high: Mapped[float]
    example_order: Mapped[Word] = mapped_column(primary_key=True, server_default="balanced")
    split: Mapped[Word] = mapped_column(primary_key=True, server_default="test")


def result_tables() -> list[Table]:
    """Return the tables with a row per finished job."""
    return [table for table in Base.metadata.sorted_tables if [column.name for column in table.primary_key] == ["job_key"]]
