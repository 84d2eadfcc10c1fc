"""Several attacks as one, where examples are made beforehand; where they are not, each is a job of its own (`planning/suite_jobs.py`)."""

from torch import Tensor

from workers.attacks.engine.problem import Problem
from workers.attacks.engine.queries import improved
from workers.attacks.engine.restarts import attack_of
from workers.spec.attack import AttackSettings, parts


def cascade(problem: Problem) -> Tensor:
    """Return each example's best point, (batch, *shape), of a suite's attacks; on a deterministic net each attack is run on those examples
    alone that none before it has moved out of their class."""
    first, *others = parts(problem.settings, early_stop=problem.deterministic)
    best = _points(problem, first)
    for part in others:

        def again(chosen: Tensor | None, part: AttackSettings = part) -> Tensor:
            return _points(problem if chosen is None else problem.of(chosen), part)

        best = improved(problem, best, again, drop=problem.deterministic)
    return best


def _points(problem: Problem, part: AttackSettings) -> Tensor:
    return attack_of(part)(
        problem.logits,
        problem.inputs,
        problem.goal.labels,
        settings=part,
        generator=problem.generator,
        bounds=problem.bounds,
        randomness=problem.randomness,
    )
