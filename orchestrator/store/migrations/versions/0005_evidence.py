"""Draws per repeat, transferred examples, perturbations in dB; diagnoses, verdicts, loss surfaces. Earlier results had one draw."""

import sqlalchemy as sa
from alembic import op

from orchestrator.store.migrations.tables import create_results, create_table

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    for table in ("clean_results", "attack_results"):
        op.add_column(table, sa.Column("draws", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("attack_results", sa.Column("source_key", sa.String(length=64), nullable=True))
    op.add_column("attack_results", sa.Column("snr_db", sa.Double(), nullable=True))
    cell = ["attack", "epsilon_literal", "knowledge"]
    op.create_index(op.f("ix_attack_results_attack_epsilon_literal_knowledge"), "attack_results", cell)
    create_results(
        "diagnoses",
        "epsilon float, epsilon_literal name, n_examples int, draws int, zero_gradients float, nonfinite_gradients float, probes json",
    )
    create_results(
        "surfaces",
        "example int, direction word, extent float, resolution int, draws int, norm word, clip flag, source_key key, label int, "
        "clean_loss float, least_loss float, greatest_loss float",
    )
    create_table(
        "verdicts",
        "model_key key, verdict word, checks json, rules int, judged_at time",
        primary="model_key",
        refers="model_key jobs.key",
    )
    create_table(
        "worst_cases",
        "model_key key, knowledge word, norm word, epsilon float, n_examples int, batch_size int, draws int, epsilon_literal name, "
        "attacks int, accuracy float, ci_low float, ci_high float",
        primary="model_key knowledge norm epsilon n_examples batch_size draws",
        refers="model_key jobs.key",
    )
