"""Jobs of a suite of attacks on one model: an attack each, and one that joins their outcomes."""

from collections.abc import Iterator

from search_spaces import Asked
from workers.errors import UserError
from workers.spec.autoattack_parts import parts
from workers.spec.job import AttackSpec, EvaluationSpec, Job


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
