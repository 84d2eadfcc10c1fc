"""Expansion of a space into jobs: every combination of each grid's axes, with defaults filled in and equal computations merged."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from orchestrator.garbage import uncollected
from orchestrator.planning import MAX_JOBS
from orchestrator.planning.training_chain import GridPoint, TrainingChain, grid_points, source_of, training_chain
from search_spaces import Asked, CorruptionSection, DiagnosisSection, EvaluationSettings, Grid, SourceName, Space
from search_spaces.schema.axes import AxisSection
from search_spaces.schema.wording import listed
from workers.errors import UserError
from workers.registry import METRICS
from workers.spec.attack import not_on_draws, parts
from workers.spec.fields import CRAFTED, Knowledge
from workers.spec.job import Job
from workers.spec.stage_specs import AttackSpec, CorruptSpec, CraftSpec, DiagnoseSpec, EvaluateSpec, EvaluationSpec, SurfaceSpec, TrainSpec
from workers.spec.surface import SurfaceSettings

Sources = Mapping[SourceName | None, TrainingChain]


def expand_space(space: Space, *, max_jobs: int = MAX_JOBS) -> list[Job]:
    """Return all jobs of a space, parents before their children, equal keys merged; the same space always gives the same list.

    Raises:
        UserError: there are more than `max_jobs`, found before any is made; or an attack cannot be made on a randomised model.
    """
    check_count(space.grids, max_jobs)
    jobs: dict[str, Job] = {}
    with uncollected():  # of 100,000 jobs it would take a quarter of the time
        for grid in space.grids:
            for job in grid_jobs(grid):
                jobs.setdefault(job.key, job)
    return list(jobs.values())


def deduplicate(jobs: Iterable[Job]) -> list[Job]:
    """Return the jobs in their order, equal keys merged."""
    return list({job.key: job for job in jobs}.values())


def grid_jobs(grid: Grid) -> Iterator[Job]:
    """Yield the jobs of a grid, parents before their children; a job may come more than once."""
    attacks = [asked for group in grid.attacks for asked in group.resolved()]
    surfaces = [surface for group in grid.surfaces for surface in group.resolved()]
    settings = grid.evaluation
    evaluation = evaluation_of(grid)
    for point, trained in models_of(grid):
        yield from trained
        sources = sources_of(point, trained, attacks)
        for measured in on_splits(evaluation, grid, trained):
            yield from _clean(trained[-1], measured, repeats=settings.repeats)
            if grid.racing is None:
                for asked in attacks:
                    yield from attack_jobs(trained[-1], asked, measured, sources=sources, repeats=settings.repeats)
        if grid.racing is not None:
            yield from (job for chain in sources.values() for job in chain)
        if grid.diagnosis is not None:
            yield _diagnosis(trained[-1], grid.diagnosis)
        yield from (_surface(trained, surface) for surface in surfaces)
        if grid.corruptions is not None:
            yield from _corruptions(trained[-1], grid.corruptions, evaluation, repeats=settings.repeats)


def evaluation_of(grid: Grid) -> EvaluationSpec:
    """Return the evaluation of a grid's models on test, for a randomised model; one of which parts are attacked is in random order."""
    found = _evaluation(grid.evaluation, grid.evaluation.examples)
    return found if grid.racing is None else found.model_copy(update={"order": "random"})


def _evaluation(settings: EvaluationSettings, examples: int | None) -> EvaluationSpec:
    order = EvaluationSpec().order if examples is None else settings.order  # all have one order
    return EvaluationSpec(examples=examples, order=order, batch_size=settings.batch_size, draws=settings.draws, metrics=settings.metrics)


def on_splits(evaluation: EvaluationSpec, grid: Grid, trained: TrainingChain) -> Iterator[EvaluationSpec]:
    """Yield the evaluation on each of the grid's splits that the model has. Without a validation split it is measured on test: where
    nothing is held out, and where its weights come from elsewhere, which may have been trained on what is held out here."""
    adopts = any(job.stage == "adopt" for job in trained)
    held_out = not adopts and _spec(trained[-1]).data.validation_examples != 0
    for split in grid.splits if held_out else ("test",):
        yield evaluation.model_copy(update={"split": split})


def models_of(grid: Grid) -> list[tuple[GridPoint, TrainingChain]]:
    """Return the models of a grid, each once."""
    models: dict[str, tuple[GridPoint, TrainingChain]] = {}
    for point in grid_points(grid):
        trained = training_chain(point)
        models.setdefault(trained[-1].key, (point, trained))
    return list(models.values())


def grid_proxy_jobs(
    grid: Grid, attacks: Sequence[Asked], *, stop: Callable[[TrainingChain], TrainingChain], examples: int | None
) -> Iterator[Job]:
    """Yield the jobs of low-fidelity proxies of a grid's models, parents before their children: each full model as `stop` shortens it,
    evaluated and attacked with `attacks` on at most `examples` examples, with the grid's number of repeats."""
    settings = grid.evaluation
    fewer = settings.examples if examples is None else min(examples, settings.examples or examples)
    evaluation = _evaluation(settings, fewer)
    for point, whole in models_of(grid):
        trained = stop(whole)
        sources = sources_of(point, trained, list(attacks))
        others = [asked for asked in attacks if asked.source is None or sources[asked.source][-1].key != whole[-1].key]
        yield from trained
        for measured in on_splits(evaluation, grid, trained):
            yield from _clean(trained[-1], measured, repeats=settings.repeats)
            for asked in others:
                yield from attack_jobs(trained[-1], asked, measured, sources=sources, repeats=settings.repeats)


def sources_of(point: GridPoint, trained: TrainingChain, attacks: list[Asked]) -> Sources:
    """Return the models on which the attacks' examples are made, if they are made beforehand: the attacked one itself, or another."""
    names = dict.fromkeys(asked.source for asked in attacks)
    return {name: trained if name is None else training_chain(source_of(point, name)) for name in names}


def attack_on_model(attack: Asked, source: TrainSpec) -> Asked:
    """Return the attack with every setting that has no effect on its source model at its default."""
    return attack._replace(attack=attack.attack.model_copy(update=_unused_settings(source, attack.knowledge)))


def _unused_settings(source: TrainSpec, knowledge: Knowledge) -> dict[str, Any]:
    """Return the settings without effect, at their defaults: a model that is not binary has no sign, and one without randomness no draws.

    On a randomised model no example stops early: fooling it in one draw, or with its full weights, is not fooling it.
    """
    idle: dict[str, Any] = {} if source.model.binary else {"sign_gradient": "identity"}
    if source.randomised:
        idle["early_stop"] = False
    if not source.randomised or knowledge in CRAFTED:
        idle |= {"eot_samples": 1, "selection_draws": 1}
    return idle


def _diagnosis(model: Job, section: DiagnosisSection) -> Job:
    """Return the diagnosis job of a model, every setting without effect on it at its default, or at 1 where nothing is random."""
    trained = _spec(model)
    idle: dict[str, Any] = {} if trained.model.binary else {"sign_gradient": "identity"}
    if not trained.randomised:
        idle |= {"eot_samples": 1, "selection_draws": 1, "draws": 1}
    settings = section.resolved(trained.data.name).model_copy(update=idle)
    return Job.of(DiagnoseSpec(diagnosis=settings), model=model)


def _corruptions(model: Job, section: CorruptionSection, evaluation: EvaluationSpec, *, repeats: int) -> Iterator[Job]:
    """Yield the jobs of a model's corruptions, each repeated where the model is random."""
    randomised = _spec(model).randomised
    evaluation = evaluation.model_copy(update={"metrics": ()} if randomised else {"metrics": (), "draws": 1})
    for corruption in section.resolved():
        for repeat in range(repeats if randomised else 1):
            yield Job.of(CorruptSpec(corruption=corruption, evaluation=evaluation, repeat=repeat), model=model)


def _clean(model: Job, evaluation: EvaluationSpec, *, repeats: int) -> Iterator[Job]:
    """Yield the evaluations of a model, each `repeats` times if it is random, else once in one draw: the others would be equal."""
    randomised = _spec(model).randomised
    measured = evaluation.model_copy(update={"metrics": ()} if randomised else {"metrics": (), "draws": 1})
    for repeat in range(repeats if randomised else 1):
        yield Job.of(EvaluateSpec(evaluation=measured, repeat=repeat), model=model)


def attack_jobs(model: Job, asked: Asked, evaluation: EvaluationSpec, *, sources: Sources, repeats: int) -> Iterator[Job]:
    """Yield the jobs of one attack on a trained model, those of its source first, `repeats` times if anything about it is random, else
    once, since the repeats would be equal. So would several draws of a model that is not random."""
    randomised = _spec(model).randomised
    single = evaluation.model_copy(update={"draws": 1})
    modality = _spec(model).data.component.facts.modality
    foreign = (found for found in METRICS if found.digest and found.facts.always and modality in found.facts.modalities)
    measured = {"metrics": tuple(dict.fromkeys([*evaluation.metrics, *(found.name for found in foreign)]))}
    evaluation = (evaluation if randomised else single).model_copy(update=measured)
    *ancestors, source = sources[asked.source]
    if asked.knowledge == "transfer" and source.key == model.key:
        return
    yield from (*ancestors, source)
    attack, knowledge, _, kept = on_model = attack_on_model(asked, _spec(source))
    if randomised and knowledge not in CRAFTED and (reason := not_on_draws(attack.name)):
        raise UserError(reason)
    parents = {"model": model}
    if knowledge in CRAFTED:
        craft = Job.of(CraftSpec(attack=attack, evaluation=single.model_copy(update={"metrics": ()})), model=source)
        yield craft
        parents |= {"examples": craft} | ({"source": source} if knowledge == "transfer" else {})
    differ = randomised or (attack.randomised and knowledge not in CRAFTED)
    numbers = range(repeats if differ else 1)
    if attack.facts.suite and knowledge not in CRAFTED:
        for repeat in numbers:
            yield from cascade_jobs(model, on_model, evaluation, repeat=repeat, randomised=randomised)
        return
    spec = AttackSpec(attack=attack, knowledge=knowledge, evaluation=evaluation, repeat=0, keep_examples=kept)
    yield from (Job.of(spec.model_copy(update={"repeat": repeat}), **parents) for repeat in numbers)


def _surface(trained: TrainingChain, surface: SurfaceSettings) -> Job:
    """Return the loss-surface job of the model of a training chain; settings without effect on it are at their defaults.

    `theta_one` is the last net of the chain that was trained without a sketch. Where that is the model itself, and nothing about it
    is random, its own gradient is that net's.
    """
    model, randomised = trained[-1], _spec(trained[-1]).randomised
    source = [job for job in trained if _spec(job).model.theta == 1 and job.stage != "defend"][-1]
    idle: dict[str, Any] = {} if randomised else {"draws": 1}
    if source is model and not randomised:
        idle["direction"] = "theta_one"
    settled = surface.model_copy(update=idle)
    direction = {"direction": source} if settled.direction == "theta_one" else {}
    return Job.of(SurfaceSpec(surface=settled), model=model, **direction)


def _spec(trained: Job) -> TrainSpec:
    """Return the training spec of a model."""
    assert isinstance(trained.spec, TrainSpec)  # noqa: S101 (a chain is made of them)
    return trained.spec


def check_count(grids: Iterable[Grid], max_jobs: int = MAX_JOBS) -> None:
    """Check that grids have at most `max_jobs` jobs. Equal jobs are counted as often as they come, every model as a randomised one.

    Raises:
        UserError: they have more; the message names the axes and their numbers of values.
    """
    counted = [(count(grid), grid) for grid in grids]
    total = sum(number for number, _ in counted)
    if total > max_jobs:
        axes = dict(_axes(max(counted, key=lambda pair: pair[0])[1])) | {"variants": len(counted)}
        several = sorted(((number, name) for name, number in axes.items() if number > 1), reverse=True)
        named = listed(f"{name} {number:,}" for number, name in several)
        raise UserError(f"about {total:,} jobs, more than --max-jobs {max_jobs:,}; values by axis: {named}")


def count(grid: Grid) -> int:
    """Return at least as many as the grid's measurements of models are, equal ones counted as often as they come."""
    models = len(grid.seed)
    for section in (grid.data, grid.model, grid.training, grid.defence, grid.fine_tuning):
        models *= section.size
    attacks = _shards(grid) * sum(group.size * group.jobs_each for group in grid.attacks)
    surfaces = sum(group.size for group in grid.surfaces)
    corruptions = 0 if grid.corruptions is None else grid.corruptions.size * grid.evaluation.repeats
    splits = len(grid.splits) if any(grid.data.validation_examples) else 1
    return models * (1 + splits * grid.evaluation.repeats * (1 + attacks) + (grid.diagnosis is not None) + surfaces + corruptions)


def _shards(grid: Grid) -> int:
    """Return how many jobs an attack has, in a race with the one that joins them."""
    return 1 if grid.racing is None else 1 + -(-(grid.evaluation.examples or 0) // grid.racing.shard)


def _axes(grid: Grid) -> Iterator[tuple[str, int]]:
    """Yield the number of values of each axis."""
    yield from (("seed", len(grid.seed)), ("evaluation.repeats", grid.evaluation.repeats), ("shards of a race", _shards(grid)))
    sections: dict[str, object] = {name: getattr(grid, name) for name in ("data", "model", "defence", "training", "fine_tuning")}
    sections |= {f"{name}.{number}": group for name in ("attacks", "surfaces") for number, group in enumerate(getattr(grid, name))}
    for place, section in sections.items():
        assert isinstance(section, AxisSection)  # noqa: S101 (the others are no axes)
        yield from ((f"{place}.{name}", len(values)) for name, values in section.axes.items())


def cascade_jobs(model: Job, asked: Asked, evaluation: EvaluationSpec, *, repeat: int, randomised: bool) -> Iterator[Job]:
    """Yield the jobs of a suite's attacks in their order, then the one with the suite's outcome.

    On a deterministic model each attack is run on those examples alone that the one before it left. On a randomised one, where surviving
    one evaluation means little, each is run on all of them, and the worst is chosen example by example on other draws than it is scored on.
    Each attack keeps the examples that the suite was asked to keep.

    Raises:
        UserError: the model is randomised, and there is a single draw to choose by and to score on.
    """
    suite, knowledge = asked.attack, asked.knowledge
    if randomised and evaluation.draws == 1:
        raise UserError(f"evaluation.draws=1 with attack {suite.name} on a randomised model: some draws choose, others score; 2 or more")
    found: list[Job] = []
    for part in parts(suite, early_stop=not randomised):
        before = found if not randomised else []
        known = knowledge if part.facts.takes_gradients else "randomized"
        after = ", ".join(job.spec.attack.name for job in before if isinstance(job.spec, AttackSpec))
        spec = AttackSpec(
            attack=part, knowledge=known, evaluation=evaluation, repeat=repeat, after=after, keep_examples=asked.keep_examples
        )
        found.append(Job.of(spec, model=model, **({"survivors": before[-1]} if before else {})))
    yield from found
    joined = {job.spec.attack.name: job for job in found if isinstance(job.spec, AttackSpec)} if randomised else {"survivors": found[-1]}
    yield Job.of(AttackSpec(attack=suite, knowledge=knowledge, evaluation=evaluation, repeat=repeat), model=model, **joined)
