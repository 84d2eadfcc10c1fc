"""First schema: sweeps, jobs, attempts and results."""

from orchestrator.store.migrations.tables import create_results, create_table

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_table(
        "sweeps",
        "id int, name name, space text, created_at time, launched_at time?, driver_host name?, driver_pid int?, heartbeat_at time?",
        primary="id",
        unique="name",
    )
    create_table(
        "jobs",
        "key key, key_version int, stage word, spec text, state word",
        primary="key",
        check="state IN ('planned', 'done', 'failed')",
        index="state",
    )
    create_table(
        "job_parents",
        "child_key key, role word, parent_key key",
        primary="child_key role",
        refers="child_key jobs.key, parent_key jobs.key",
        index="parent_key",
    )
    create_table(
        "sweep_jobs",
        "sweep_id int, job_key key, in_space flag",
        primary="sweep_id job_key",
        refers="job_key jobs.key, sweep_id sweeps.id",
        index="job_key",
    )
    create_table(
        "attempts",
        "id int, job_key key, number int, sweep_id int?, started_at time, finished_at time?, outcome word, error text?, traceback text?",
        primary="id",
        refers="job_key jobs.key, sweep_id sweeps.id",
        unique="job_key number",
        check="outcome IN ('running', 'done', 'failed', 'interrupted')",
        index="sweep_id outcome",
    )
    create_table("environments", "id key, host name, device name, threads int, git_revision name?, versions json", primary="id")
    create_table(
        "trained_models",
        "job_key key, dataset word, train_examples int?, model word, width int, tensorized flag, theta float, rank_fraction float?, "
        "rank_kind word, rank json?, sketch_modes word, rescale flag, binary flag, adversarial_training word, seed long, epochs int, "
        "n_parameters long, history json, seconds float, environment_id key, finished_at time",
        primary="job_key",
        refers="environment_id environments.id, job_key jobs.key",
    )
    create_results("clean_results", "repeat int, n_examples int, batch_size int, n_correct int, flags bytes")
    create_results("crafted_examples", "n_examples int, max_perturbation float")
    create_results(
        "attack_results",
        "attack word, knowledge word, norm word, epsilon float, epsilon_literal name, steps int, abs_stepsize float, random_start flag, "
        "repeat int, n_examples int, batch_size int, n_correct int, flags bytes",
    )
