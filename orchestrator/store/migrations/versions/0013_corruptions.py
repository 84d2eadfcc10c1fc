"""Accuracies under common corruptions."""

from orchestrator.store.migrations.tables import create_results

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    create_results(
        "corruption_results",
        "corruption name, severity int, seed long, settings json, repeat int, n_examples int, example_order word, batch_size int, "
        "draws int, n_correct int, flags bytes",
    )
