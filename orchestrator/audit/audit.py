"""An audit: launched round by round as one sweep, until its verdict is sound or unsound, or nothing is left to try."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from orchestrator.audit.bundle.write_bundle import write_bundle
from orchestrator.audit.rounds import Budget, Round, rounds, space_of
from orchestrator.launching.launch import LaunchOptions
from orchestrator.launching.launch import launch as run_launch
from orchestrator.naming.names import slug
from orchestrator.paths import write_atomically
from orchestrator.planning.adopted import adopted_model, load_sweep
from orchestrator.planning.expand import expand_space
from orchestrator.statistics.verdict import SOUND_EXAMPLES, reasons
from orchestrator.store import ModelVerdict, ResultRow, Store, model_verdicts, open_store, result_rows
from orchestrator.store.reading.report_evidence import job_costs
from orchestrator.terminal.console import say
from workers.errors import UserError
from workers.registry import DATASETS
from workers.spec.fields import NormName, positive_fraction
from workers.spec.job import Job
from workers.spec.model import ModelSpec
from workers.spec.stage_specs import TrainSpec

_DOUBTFUL = "suspicious"


@dataclass(frozen=True, kw_only=True)
class AuditOptions:
    """Options of an audit; `launch` holds those of its launches, whose space the audit makes.

    `weights` is a file of a state dict, or the first digits of a trained model's key; `examples` None: a thousand, or all of a smaller
    test split. With a `bundle`, which is the file to write, attacks keep what they made of the examples.
    """

    network: str
    weights: str
    data: str
    epsilon: str
    norm: NormName = "linf"
    examples: int | None = None
    seed: int = 0
    plugins: Sequence[str] = ()
    budget: Budget = field(default_factory=lambda: Budget(None))
    bundle: Path | None = None
    launch: LaunchOptions

    @property
    def name(self) -> str:
        """Name of the audit's sweep: equal audits continue each other."""
        parts = (self.network, Path(self.weights).stem, self.data, self.norm, self.epsilon.replace("/", "-"))
        return slug(f"audit-{'-'.join(parts)}")

    @property
    def _counts(self) -> tuple[int, int]:
        """Numbers of examples under attack, and of those that are diagnosed."""
        data = DATASETS.find(self.data)
        there = _MOST if data is None or data.facts.n_test is None else data.facts.n_test
        chosen = self.examples or min(_MOST, there)
        return chosen, min(chosen, _DIAGNOSED)

    @property
    def n_examples(self) -> int:
        """Number of examples under attack."""
        return self._counts[0]

    @property
    def common(self) -> dict[str, Any]:
        """The sections of the space but for the attacks."""
        given = Path(self.weights)
        examples, diagnosed = self._counts
        diagnosis = {"epsilon": self.epsilon} if self.norm == "linf" else {}
        return {
            "name": self.name,
            "description": f"Audit of {self.network} on {self.data}, {self.norm} {self.epsilon}",
            **({"plugins": [str(Path(name).absolute()) if Path(name).exists() else name for name in self.plugins]} if self.plugins else {}),
            "seed": self.seed,
            "data": {"name": self.data},
            "model": {"name": self.network, "weights": str(given.absolute()) if given.exists() else self.weights, "tensorized": False},
            "fine_tuning": {"epochs": 0},
            "evaluation": {"examples": examples},
            "diagnosis": {**diagnosis, "examples": diagnosed},
        }


_MOST, _DIAGNOSED = 1000, 200


@dataclass(frozen=True)
class AuditOutcome:
    """Findings of an audit: its rows, the worst case last; its verdict; seconds of all its jobs; what it would try next (None: nothing);
    the robust accuracy that its bundle claims (None: none was asked for)."""

    name: str
    rows: tuple[ResultRow, ...]
    verdict: ModelVerdict | None
    seconds: float
    jobs: int
    tried: tuple[str, ...]
    following: str | None
    claimed: float | None = None

    @property
    def worst(self) -> ResultRow | None:
        """The result of the most harmful attack on each example, of all."""
        return next((row for row in reversed(self.rows) if row.attack == "worst_case"), None)

    @property
    def strongest(self) -> ResultRow | None:
        """The single attack under which the fewest examples stay right."""
        attacked = [row for row in self.rows if row.attack not in ("none", "worst_case") and row.robust_accuracy is not None]
        return min(attacked, key=lambda row: (row.robust_accuracy or 0.0, row.attack != "autoattack"), default=None)

    @property
    def needs_examples(self) -> bool:
        """True where no attack settles the verdict: there are too few examples for a sound one, and no check is in doubt."""
        if self.verdict is None or self.verdict.verdict != _DOUBTFUL or not self.rows:
            return False
        return self.rows[0].n_examples < SOUND_EXAMPLES and all(check.outcome != "suspicious" for check in self.verdict.checks)


def run_audit(options: AuditOptions, console: Console) -> tuple[AuditOutcome, int]:
    """Run an audit to its end, or continue it; return what was found and the exit code of its last launch.

    Raises:
        UserError: the network, weights, data or an option are wrong.
    """
    file = options.launch.paths.home / "audits" / f"{options.name}.yaml"
    audited = _audited(options)
    if (unlike := _unlike_its_training(options, audited)) is not None:
        say(console, f"audit: {unlike}")
    bare, keeping = _rounds(options, audited)
    kept = _launched_before(options, file, keeping)
    all_rounds = keeping if kept or options.bundle is not None else bare
    before = kept or _launched_before(options, file, bare)
    if before and all_rounds is keeping and not kept:
        say(console, f"audit: {_made_again(options, keeping[:before])}")
    launched = max(1, before) - 1
    while True:
        launched += 1
        _write(file, space_of(options.common, all_rounds[:launched]))
        code = run_launch(replace(options.launch, space=str(file), says_next=False), console)
        found = _found(options, all_rounds, launched)
        is_settled = found.needs_examples or (found.verdict is not None and found.verdict.verdict != _DOUBTFUL)
        if code or is_settled or launched == len(all_rounds) or options.budget.is_spent:
            if options.bundle is not None and not code:
                found = replace(found, claimed=_write_bundle(options.bundle, options, file, found))
            elif code:
                missing = "" if options.bundle is None else f"{options.bundle} is not written, for "
                say(console, f"audit: {missing}jobs are not done; the same command continues")
            return (replace(found, following=None) if is_settled else found), code
        say(console, f"audit: the verdict is in doubt; next: {all_rounds[launched].purpose}")


def _made_again(options: AuditOptions, keeping: list[Round]) -> str:
    """Say what is made again, and why, for a bundle that the audit was not asked for at first."""
    jobs = _jobs(options, space_of(options.common, keeping))
    there = options.launch.paths.artifacts.finished([job.key for job in jobs])
    again = sum(job.stage == "attack" and job.key not in there for job in jobs)
    why = "a bundle holds what attacks made of the examples, and they kept nothing of it without --bundle"
    return f"{again} attacks are made again: {why}; the other {len(jobs) - again} jobs stand"


def _write_bundle(bundle: Path, options: AuditOptions, file: Path, found: AuditOutcome) -> float:
    """Write the bundle; return the robust accuracy that it claims."""
    paths = options.launch.paths
    jobs = expand_space(load_sweep(str(file), options.launch.overrides, paths.artifacts).space)
    judged = None if found.verdict is None else (found.verdict.verdict, reasons(found.verdict.checks))
    return write_bundle(bundle, jobs, paths.artifacts, data_root=paths.data_root, verdict=judged).robust_accuracy


def _launched_before(options: AuditOptions, file: Path, all_rounds: list[Round]) -> int:
    """Return the number of rounds of the same audit that was launched before; 0 for none."""
    try:
        before = yaml.safe_load(file.read_text())
    except (OSError, yaml.YAMLError):
        return 0
    return next((count for count in range(len(all_rounds), 0, -1) if space_of(options.common, all_rounds[:count]) == before), 0)


def _rounds(options: AuditOptions, audited: TrainSpec) -> tuple[list[Round], list[Round]]:
    """Return the rounds whose attacks keep no examples, and those whose attacks keep all."""
    randomness = {"randomised": audited.randomised, "by_itself": audited.model.facts.randomised}
    given: dict[str, Any] = {"epsilon": options.epsilon, "norm": options.norm, **randomness}
    return rounds(**given), rounds(**given, keep_examples=options.n_examples)


def _audited(options: AuditOptions) -> TrainSpec:
    """Return the model of the audit, with the defence around it.

    Raises:
        UserError: the space is wrong, or of several models.
    """
    try:
        positive_fraction(options.epsilon)
    except ValueError as error:
        raise UserError(f"--epsilon {options.epsilon}: {error}") from None
    jobs = _jobs(options, options.common)
    parents = {parent for job in jobs if isinstance(job.spec, TrainSpec) for parent in job.parents.values()}
    models = [job.spec for job in jobs if isinstance(job.spec, TrainSpec) and job.key not in parents]
    if len(models) != 1:
        raise UserError(f"audit: {len(models)} models; --set may give each setting one value here")
    return models[0]


def _unlike_its_training(options: AuditOptions, audited: TrainSpec) -> str | None:
    """Say with which other settings the model was trained whose weights are audited; None where they come from a file, or with the same."""
    trained = adopted_model(options.weights, options.launch.paths.artifacts)
    here, there = ({} if model is None else _settings(model) for model in (audited.model, trained))
    other = [f"--set model.{name}={value}" for name, value in there.items() if here.get(name, value) != value]
    return f"model {options.weights} was trained with other settings; for those: {' '.join(other)}" if other else None


def _settings(model: ModelSpec) -> dict[str, str]:
    """The settings of a model by their names in a space, as `--set` takes them; where its weights come from is none of them."""
    own = model.model_dump(mode="json", exclude={"weights", "weights_map", "init", "settings"}) | model.settings.model_dump(mode="json")
    return {name: json.dumps(value).strip('"') for name, value in own.items()}


def _jobs(options: AuditOptions, space: Mapping[str, Any]) -> list[Job]:
    """Return the jobs of a space of the audit, which is not launched."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{options.name}.yaml"
        _write(file, space)
        return expand_space(load_sweep(str(file), options.launch.overrides, options.launch.paths.artifacts).space)


def _write(file: Path, space: Mapping[str, Any]) -> None:
    write_atomically(file, yaml.safe_dump(dict(space), sort_keys=False, allow_unicode=True).encode())


def _found(options: AuditOptions, all_rounds: list[Round], launched: int) -> AuditOutcome:
    with open_store(options.launch.paths.store_url, upgrade=False) as store:
        verdicts = model_verdicts(store, options.name, rungs=False)
        worst = (row for row in _rows(store, options.name, worst=True) if row.attack == "worst_case")  # none yet: the clean rows again
        rows = (*_rows(store, options.name), *worst)
        costs = job_costs(store, options.name)
    return AuditOutcome(
        name=options.name,
        rows=rows,
        verdict=verdicts[0] if verdicts else None,
        seconds=sum(costs.seconds.values()),
        jobs=len(costs.seconds),
        tried=tuple(found.purpose for found in all_rounds[:launched]),
        following=all_rounds[launched].purpose if launched < len(all_rounds) else None,
    )


def _rows(store: Store, sweep: str, *, worst: bool = False) -> list[ResultRow]:
    return result_rows(store, sweep, per_repeat=False, worst=worst)
