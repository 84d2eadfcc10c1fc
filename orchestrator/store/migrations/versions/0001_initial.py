"""First schema: sweeps, jobs, attempts and results."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _create_sweeps()
    _create_jobs()
    _create_job_parents()
    _create_sweep_jobs()
    _create_attempts()
    _create_environments()
    _create_trained_models()
    _create_clean_results()
    _create_crafted_examples()
    _create_attack_results()


def downgrade() -> None:
    raise NotImplementedError("the store only moves forward: restore a backup")


def _create_sweeps() -> None:
    op.create_table(
        "sweeps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("space", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("launched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("driver_host", sa.String(length=200), nullable=True),
        sa.Column("driver_pid", sa.Integer(), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_sweeps"),
        sa.UniqueConstraint("name", name="uq_sweeps_name"),
    )


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(length=32), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.CheckConstraint("state IN ('planned', 'done', 'failed')", name=op.f("ck_jobs_state")),
        sa.PrimaryKeyConstraint("key", name="pk_jobs"),
    )
    op.create_index("ix_jobs_state", "jobs", ["state"])


def _create_job_parents() -> None:
    op.create_table(
        "job_parents",
        sa.Column("child_key", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("parent_key", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["child_key"], ["jobs.key"], name="fk_job_parents_child_key_jobs"),
        sa.ForeignKeyConstraint(["parent_key"], ["jobs.key"], name="fk_job_parents_parent_key_jobs"),
        sa.PrimaryKeyConstraint("child_key", "role", name="pk_job_parents"),
    )
    op.create_index("ix_job_parents_parent_key", "job_parents", ["parent_key"])


def _create_sweep_jobs() -> None:
    op.create_table(
        "sweep_jobs",
        sa.Column("sweep_id", sa.Integer(), nullable=False),
        sa.Column("job_key", sa.String(length=64), nullable=False),
        sa.Column("in_space", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["job_key"], ["jobs.key"], name="fk_sweep_jobs_job_key_jobs"),
        sa.ForeignKeyConstraint(["sweep_id"], ["sweeps.id"], name="fk_sweep_jobs_sweep_id_sweeps"),
        sa.PrimaryKeyConstraint("sweep_id", "job_key", name="pk_sweep_jobs"),
    )
    op.create_index("ix_sweep_jobs_job_key", "sweep_jobs", ["job_key"])


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_key", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sweep_id", sa.Integer(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("traceback", sa.Text(), nullable=True),
        sa.CheckConstraint("outcome IN ('running', 'done', 'failed', 'interrupted')", name=op.f("ck_attempts_outcome")),
        sa.ForeignKeyConstraint(["job_key"], ["jobs.key"], name="fk_attempts_job_key_jobs"),
        sa.ForeignKeyConstraint(["sweep_id"], ["sweeps.id"], name="fk_attempts_sweep_id_sweeps"),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
        sa.UniqueConstraint("job_key", "number", name="uq_attempts_job_key_number"),
    )
    op.create_index("ix_attempts_sweep_id_outcome", "attempts", ["sweep_id", "outcome"])


def _create_environments() -> None:
    op.create_table(
        "environments",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=200), nullable=False),
        sa.Column("device", sa.String(length=200), nullable=False),
        sa.Column("threads", sa.Integer(), nullable=False),
        sa.Column("git_revision", sa.String(length=200), nullable=True),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_environments"),
    )


def _create_trained_models() -> None:
    op.create_table(
        "trained_models",
        sa.Column("job_key", sa.String(length=64), nullable=False),
        sa.Column("dataset", sa.String(length=32), nullable=False),
        sa.Column("train_examples", sa.Integer(), nullable=True),
        sa.Column("model", sa.String(length=32), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("tensorized", sa.Boolean(), nullable=False),
        sa.Column("theta", sa.Double(), nullable=False),
        sa.Column("rank_fraction", sa.Double(), nullable=True),
        sa.Column("rank_kind", sa.String(length=32), nullable=False),
        sa.Column("rank", sa.JSON(), nullable=True),
        sa.Column("sketch_modes", sa.String(length=32), nullable=False),
        sa.Column("rescale", sa.Boolean(), nullable=False),
        sa.Column("binary", sa.Boolean(), nullable=False),
        sa.Column("adversarial_training", sa.String(length=32), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("epochs", sa.Integer(), nullable=False),
        sa.Column("n_parameters", sa.BigInteger(), nullable=False),
        sa.Column("history", sa.JSON(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("environment_id", sa.String(length=64), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["environment_id"], ["environments.id"], name="fk_trained_models_environment_id_environments"),
        sa.ForeignKeyConstraint(["job_key"], ["jobs.key"], name="fk_trained_models_job_key_jobs"),
        sa.PrimaryKeyConstraint("job_key", name="pk_trained_models"),
    )


def _create_clean_results() -> None:
    op.create_table(
        "clean_results",
        sa.Column("job_key", sa.String(length=64), nullable=False),
        sa.Column("model_key", sa.String(length=64), nullable=False),
        sa.Column("repeat", sa.Integer(), nullable=False),
        sa.Column("n_examples", sa.Integer(), nullable=False),
        sa.Column("batch_size", sa.Integer(), nullable=False),
        sa.Column("n_correct", sa.Integer(), nullable=False),
        sa.Column("flags", sa.LargeBinary(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("environment_id", sa.String(length=64), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["environment_id"], ["environments.id"], name="fk_clean_results_environment_id_environments"),
        sa.ForeignKeyConstraint(["job_key"], ["jobs.key"], name="fk_clean_results_job_key_jobs"),
        sa.ForeignKeyConstraint(["model_key"], ["jobs.key"], name="fk_clean_results_model_key_jobs"),
        sa.PrimaryKeyConstraint("job_key", name="pk_clean_results"),
    )
    op.create_index("ix_clean_results_model_key", "clean_results", ["model_key"])


def _create_crafted_examples() -> None:
    op.create_table(
        "crafted_examples",
        sa.Column("job_key", sa.String(length=64), nullable=False),
        sa.Column("model_key", sa.String(length=64), nullable=False),
        sa.Column("n_examples", sa.Integer(), nullable=False),
        sa.Column("max_perturbation", sa.Double(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("environment_id", sa.String(length=64), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["environment_id"], ["environments.id"], name="fk_crafted_examples_environment_id_environments"),
        sa.ForeignKeyConstraint(["job_key"], ["jobs.key"], name="fk_crafted_examples_job_key_jobs"),
        sa.ForeignKeyConstraint(["model_key"], ["jobs.key"], name="fk_crafted_examples_model_key_jobs"),
        sa.PrimaryKeyConstraint("job_key", name="pk_crafted_examples"),
    )
    op.create_index("ix_crafted_examples_model_key", "crafted_examples", ["model_key"])


def _create_attack_results() -> None:
    op.create_table(
        "attack_results",
        sa.Column("job_key", sa.String(length=64), nullable=False),
        sa.Column("model_key", sa.String(length=64), nullable=False),
        sa.Column("attack", sa.String(length=32), nullable=False),
        sa.Column("knowledge", sa.String(length=32), nullable=False),
        sa.Column("norm", sa.String(length=32), nullable=False),
        sa.Column("epsilon", sa.Double(), nullable=False),
        sa.Column("epsilon_literal", sa.String(length=200), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("abs_stepsize", sa.Double(), nullable=False),
        sa.Column("random_start", sa.Boolean(), nullable=False),
        sa.Column("repeat", sa.Integer(), nullable=False),
        sa.Column("n_examples", sa.Integer(), nullable=False),
        sa.Column("batch_size", sa.Integer(), nullable=False),
        sa.Column("n_correct", sa.Integer(), nullable=False),
        sa.Column("flags", sa.LargeBinary(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("environment_id", sa.String(length=64), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["environment_id"], ["environments.id"], name="fk_attack_results_environment_id_environments"),
        sa.ForeignKeyConstraint(["job_key"], ["jobs.key"], name="fk_attack_results_job_key_jobs"),
        sa.ForeignKeyConstraint(["model_key"], ["jobs.key"], name="fk_attack_results_model_key_jobs"),
        sa.PrimaryKeyConstraint("job_key", name="pk_attack_results"),
    )
    op.create_index("ix_attack_results_model_key", "attack_results", ["model_key"])
