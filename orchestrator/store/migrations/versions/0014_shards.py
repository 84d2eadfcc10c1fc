"""Outcomes of attacks on shards of the examples."""

from orchestrator.store.migrations.tables import create_results

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    create_results(
        "shard_results",
        "attack json, after string, knowledge word, source_key key?, repeat int, split word, example_order word, first int, "
        "n_examples int, of_examples int, batch_size int, draws int, n_correct int, flags bytes, forward_passes long?, "
        "backward_passes long?, queries long?",
    )
