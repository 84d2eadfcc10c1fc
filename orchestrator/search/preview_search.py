"""`robustsweep plan` of a search: preview of trials that have not been suggested yet. Without Optuna, and without writing."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from orchestrator.paths import Paths
from orchestrator.planning.adopted import load_sweep
from orchestrator.planning.plan import STAGES, make_plan
from orchestrator.planning.prelaunch_checks import check_sizes
from orchestrator.search.possible_jobs import possible_jobs, typical_jobs
from orchestrator.store import StoreMissing, open_store
from orchestrator.store.reading.study_trials import StudyCounts, study_counts
from orchestrator.terminal.escaping import json_text
from search_spaces import Parameter, Space
from search_spaces.schema.racing_section import RacingSection


@dataclass(frozen=True)
class SearchPlan:
    """Search before it is launched: `trials` so far, and the number of jobs of each stage that one configuration has."""

    space: Space
    trials: StudyCounts
    jobs_of_a_trial: dict[str, int]

    def text(self) -> str:
        """Describe the plan for people."""
        section = self.space.search
        assert section is not None  # noqa: S101 (`plan_search` looked)
        jobs = ", ".join(f"{stage} {number}" for stage, number in self.jobs_of_a_trial.items())
        states = ", ".join(f"{number} {state}" for state, number in sorted(self.trials.states.items())) or "none yet"
        lines = [
            f"sweep {self.space.name}: {section.n_trials} trials by {section.sampler}, {self.trials.left} left",
            f"at most {section.n_parallel} at a time",
            *([f"rungs: {len(section.rungs)}; from each the best 1 in {section.reduction_factor} continue"] if section.rungs else []),
            *([_race_in_words(self.space.race)] if self.space.race else []),
            f"trials in the study: {states}",
            *(f"{objective.goal} {objective.words}" for objective in section.objectives),
            *(f"subject to {constraint}" for constraint in section.constraints),
            _split_in_words(self.space),
            *(f"  {_range(parameter)}" for parameter in self.space.parameters),
            f"jobs of a trial: {jobs}; those that have results already are not run",
        ]
        return "\n".join(lines)

    def json(self) -> str:
        """Return the plan for programs."""
        parameters = [parameter.model_dump(mode="json") for parameter in self.space.parameters]
        content = {"sweep": self.space.name, "trials": asdict(self.trials) | {"left": self.trials.left}, "parameters": parameters}
        return json_text({**content, "jobs_of_a_trial": self.jobs_of_a_trial}, indent=1)


def plan_search(space: str, overrides: Sequence[str], paths: Paths, *, max_jobs: int) -> SearchPlan | None:
    """Return the plan of a space with method optuna; None for a grid. A store that does not exist yet holds no trials, and is not made."""
    loaded = load_sweep(space, overrides, paths.artifacts)
    section = loaded.space.search
    if section is None:
        return None
    check_sizes(possible_jobs(loaded.space, max_jobs=max_jobs))
    try:
        with open_store(paths.store_url, upgrade=False) as store, store.reading() as connection:
            found = study_counts(connection).get(loaded.name)
    except StoreMissing:
        found = None
    trials = StudyCounts(section.n_trials, found.begun if found else 0, found.states if found else {})
    plan = make_plan(typical_jobs(loaded.space), recorded=frozenset(), finished=frozenset())
    return SearchPlan(loaded.space, trials, {stage: plan.total(stage) for stage in STAGES if plan.total(stage)})


def _split_in_words(space: Space) -> str:
    """Say what the trials are chosen by."""
    held_out = (space.template.get("data") or {}).get("validation_examples")
    if not held_out:
        return "chosen on test, which makes the best look better than they are; data.validation_examples holds examples out to choose by"
    return f"chosen on validation (data.validation_examples {held_out}); the best are measured on test at the end"


def _race_in_words(race: RacingSection) -> str:
    return f"racing: attacks in shards of {race.shard:,} examples; a trial ends once the best so far is surely better"


def _range(parameter: Parameter) -> str:
    kind = " by its logarithm" if parameter.log else f" in steps of {parameter.step}" if parameter.step is not None else ""
    held = ", ".join(map(str, parameter.choices)) if parameter.kind == "categorical" else f"{parameter.low} to {parameter.high}{kind}"
    when = " and ".join(f"{name} is {' or '.join(map(str, values))}" for name, values in parameter.when.items())
    return f"{parameter.name}: {held}" + (f", when {when}" if when else "")
