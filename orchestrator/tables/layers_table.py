"""Layers of a plan's networks, and what becomes of each: the rank, or the reason why it stays dense."""

from collections.abc import Iterator

from orchestrator.names import JobNames
from orchestrator.planning.plan import Plan
from orchestrator.tables.table import ABSENT, Column, Table
from workers.data.loading import source
from workers.spec.job import ModelSpec, TrainSpec

_COLUMNS = (Column("layer"), Column("kernel"), Column("rank"), Column("stays dense, since it", wraps=True))


def layer_tables(plan: Plan) -> Iterator[Table]:
    """Yield one table for each network that the plan's models differ in by layers, titled by the first of them."""
    from workers.models.network.network import planned_layers

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
