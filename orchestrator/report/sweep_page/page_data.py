"""All data of a sweep that a report shows."""

from dataclasses import dataclass
from functools import cached_property

from orchestrator.report.figures.attack_conditions import FigureRows
from orchestrator.report.surface_grids import SurfaceGrid, surface_grids
from orchestrator.report.sweep_page.example_grids import ExampleGrid, example_grids
from orchestrator.report.sweep_page.findings import Findings
from orchestrator.store import Failure, ModelVerdict, ResultRow, Store, SweepStatus, failures, model_verdicts, sweep_status
from orchestrator.store.reading.corruption_rows import corruption_rows
from orchestrator.store.reading.gaps import missing
from orchestrator.store.reading.report_evidence import (
    ExampleScores,
    JobCosts,
    Provenance,
    TrainingRun,
    example_scores,
    job_costs,
    provenance,
    training_runs,
)
from orchestrator.store.reading.result_rows import rows_and_worst_cases
from orchestrator.store.reading.smallest_perturbations import SmallestPerturbations, smallest_perturbations
from orchestrator.store.reading.values import CorruptionRow
from workers.artifacts.artifacts import Artifacts


@dataclass(frozen=True, kw_only=True)
class PageData:
    """Frozen data of one sweep; `unread` has a line for each artifact of a surface that could not be read, `gaps` one for what has no
    results, `unshown` one for examples that are not among the `grids`."""

    rows: list[ResultRow]
    findings: Findings
    runs: list[TrainingRun]
    costs: JobCosts
    scores: list[ExampleScores]
    smallest: list[SmallestPerturbations]
    verdicts: list[ModelVerdict]
    provenance: Provenance
    status: SweepStatus
    failures: list[Failure]
    surfaces: list[SurfaceGrid]
    unread: list[str]
    grids: list[ExampleGrid]
    corruptions: list[CorruptionRow]
    unshown: list[str]
    gaps: tuple[str, ...]

    @cached_property
    def figure_rows(self) -> FigureRows:
        """The rows, with what figures and tables of them share."""
        return FigureRows(self.rows)


def gather(store: Store, artifacts: Artifacts, sweep: str) -> PageData:
    """Read all data: from the store, and the grids of loss surfaces from the artifacts.

    Raises:
        UserError: no such sweep.
    """
    surfaces, unread = surface_grids(store, artifacts, sweep)
    rows, worst = rows_and_worst_cases(store, sweep)
    grids, unshown = example_grids(store, artifacts, sweep)
    return PageData(
        surfaces=surfaces,
        unread=unread,
        grids=grids,
        corruptions=corruption_rows(store, sweep),
        unshown=unshown,
        rows=rows,
        findings=Findings.of(worst),
        smallest=smallest_perturbations(store, rows),
        runs=training_runs(store, sweep),
        costs=job_costs(store, sweep),
        scores=example_scores(store, sweep),
        verdicts=model_verdicts(store, sweep, rungs=False),
        provenance=provenance(store, sweep),
        status=sweep_status(store, sweep)[0],
        failures=failures(store, sweep),
        gaps=missing(store, sweep),
    )
