"""Contents of a plan: jobs by stage, by model or each by itself, and what becomes of the layers of its networks."""

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import RenderableType

from orchestrator.naming.names import JobNames
from orchestrator.naming.varying_axes import ModelSettings, in_words
from orchestrator.planning.plan import STAGES, Plan
from orchestrator.tables.table import ABSENT, Cell, Column, Table, table_of
from orchestrator.tables.writers import Format, render
from orchestrator.terminal.escaping import json_text
from workers.data.loading import source
from workers.spec.job import Job
from workers.spec.model import ModelSpec
from workers.spec.stage_specs import TrainSpec

_MOST_MODELS = 40


def render_plan(name: str, plan: Plan, form: Format = "table", *, every_job: bool) -> str | RenderableType:
    """A plan's jobs by stage and by model, or each by itself; as CSV each with its whole key."""
    if form == "csv":
        return render(_job_table(plan), form)
    return render([_stage_table(name, plan), _job_table(plan) if every_job else _model_table(plan)], form)


def plan_json(name: str, plan: Plan, **also: Any) -> str:
    """The plan for programs: counts by stage, every job with its state, and what else there is."""
    stages = {stage: {"jobs": plan.total(stage), "done": plan.done(stage)} for stage in STAGES if plan.total(stage)}
    races = {"races": plan.races} if plan.races else {}
    content = {"sweep": name, "stages": stages, "changed": dict(plan.changed), **races, **also}
    return json_text({**content, "jobs": list(_job_records(plan))}, indent=1)


def _job_records(plan: Plan) -> Iterable[dict[str, Any]]:
    names = JobNames(plan.jobs)
    for job in plan.jobs:
        settings = names.settings(job)
        varying = {name: settings[name] for name in names.axes.titles if name in settings}
        yield {
            **{"key": job.key, "stage": job.stage, "state": _state(job, plan), "job": names(job)},
            **{"settings": varying, "parents": job.parents},
        }


def _stage_table(name: str, plan: Plan) -> Table:
    done = len(plan.jobs) - len(plan.pending)
    stages = [(stage, plan.total(stage), plan.done(stage)) for stage in STAGES if plan.total(stage)]
    return Table(
        title=f"sweep {name}: {len(plan.jobs)} jobs",
        columns=(Column("stage"), Column("jobs", "number"), Column("done", "number"), Column("to run", "number")),
        rows=tuple((stage, total, finished, total - finished) for stage, total, finished in stages),
        notes=(*(f"{count} new, because {files} changed" for files, count in plan.changed.items()), *filter(None, [plan.races])),
        total=("all", len(plan.jobs), done, len(plan.pending)),
    )


def _state(job: Job, plan: Plan) -> str:
    if job.key in plan.recreated:
        return "done, files gone: again"
    return "to run" if job.key in plan.pending else "done"


def _model_table(plan: Plan) -> Table:
    models = [job for job in plan.jobs if isinstance(job.spec, TrainSpec)]
    measured = {job.key: [0, 0] for job in models}
    for job in plan.jobs:
        if (model := job.parents.get("model")) is not None:
            measured[model][0] += job.key not in plan.pending
            measured[model][1] += 1
    names = JobNames(plan.jobs)
    settings = [names.settings(job) for job in models]
    common = [f"{names.axes.constant[name]} {in_words(settings[0][name])}" for name in names.axes.notable(settings[0])] if settings else []
    rows = [
        (job.stage, *(_cell(model, name) for name in names.axes.titles), job.key, _state(job, plan), "{} of {}".format(*measured[job.key]))
        for job, model in zip(models[:_MOST_MODELS], settings, strict=False)
    ]
    varying = table_of(list(names.axes.titles.values()), [row[1:-3] for row in rows]).columns
    return Table(
        lead=(f"All models: {', '.join(common)}.",) if common else (),
        columns=(Column("model"), *varying, Column("key", "key"), Column("training"), Column("measured", align="right")),
        rows=tuple(rows),
        notes=(f"and {len(models) - _MOST_MODELS} more: --jobs lists all",) if len(models) > _MOST_MODELS else (),
    )


def _cell(model: ModelSettings, name: str) -> Cell:
    """A setting of a model, blank where it has none."""
    value = model.get(name, ABSENT)
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else in_words(value)


def _job_table(plan: Plan) -> Table:
    names = JobNames(plan.jobs)
    return Table(
        columns=(Column("key", "key"), Column("stage"), Column("job", wraps=True), Column("state")),
        rows=tuple((job.key, job.stage, names(job), _state(job, plan)) for job in plan.jobs),
    )


_COLUMNS = (Column("layer"), Column("kernel"), Column("rank"), Column("stays dense, since it", wraps=True))


def layer_tables(plan: Plan) -> Iterator[Table]:
    """Yield one table for each network that the plan's models differ in by layers, titled by the first of them."""
    from workers.models.network.planned_layers import planned_layers

    names, seen = JobNames(plan.jobs), set()
    for job in plan.jobs:
        if not isinstance(job.spec, TrainSpec) or (form := _form(job.spec)) in seen:
            continue
        seen.add(form)
        info = source(job.spec.data).info
        title = f"{names(job)}: {job.spec.model.name} on {job.spec.data.name}"
        if info is None:
            yield Table(title=title, columns=_COLUMNS, rows=(), notes=("not known before the data are read",))
            continue
        rows = [
            (layer.name, _product(layer.shape), _product(layer.rank), layer.reason or ABSENT)
            for layer in planned_layers(job.spec.model, info)
        ]
        yield Table(title=title, columns=_COLUMNS, rows=tuple(rows))


def _form(spec: TrainSpec) -> tuple[object, ...]:
    """Settings that the layers of a model's network depend on."""
    same = {name: ModelSpec.model_fields[name].default for name in ("theta", "sketch_modes", "rescale", "all_zero", "draws", "weights")}
    return spec.data.name, str(spec.data.settings), spec.model.model_copy(update=same).model_dump_json()


def _product(shape: tuple[int, ...] | None) -> str:
    return ABSENT if shape is None else "x".join(map(str, shape))
