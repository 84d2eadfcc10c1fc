"""A whole plan on a few digits: pretrain, fine-tune, then everything that is measured of the result."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.builders import attack_job, attack_settings, craft_job, evaluate_job
from workers.artifacts.outcomes import Result
from workers.runtime.run import RunSettings, run
from workers.spec.component import UNDEFENDED, DataSpec, DefenceSpec
from workers.spec.job import Job
from workers.spec.model import ModelSpec
from workers.spec.stage_specs import TrainSpec
from workers.spec.training import TrainingSpec

TRAINING = TrainingSpec(epochs=2, batch_size=20)
PGD = attack_settings(name="pgd", epsilon=8 / 255, steps=2)


def train_job(
    *,
    theta: float = 1.0,
    parent: Job | None = None,
    training: TrainingSpec = TRAINING,
    defence: DefenceSpec = UNDEFENDED,
    **model: object,
) -> Job:
    """A net of width 4 on 60 digits, from scratch or from the parent's weights."""
    spec = TrainSpec(
        stage="fine_tune" if parent else "pretrain",
        data=DataSpec(name="digits", train_examples=60),
        model=ModelSpec(width=4, theta=theta, **model),
        training=training,
        defence=defence,
    )
    return Job(spec=spec, parents={"weights": parent.key} if parent else {})


FULL = train_job()
MODEL = train_job(theta=0.8, parent=FULL)
EVALUATES = [evaluate_job(MODEL, repeat=repeat, examples=20) for repeat in range(2)]
CRAFT = craft_job(MODEL, attack=PGD, examples=20)
RANDOMIZED = [attack_job(MODEL, attack=PGD, repeat=repeat, examples=20) for repeat in range(2)]
OMNISCIENT = [attack_job(MODEL, attack=PGD, crafted=CRAFT, repeat=repeat, examples=20) for repeat in range(2)]
MEASURED = [*EVALUATES, *RANDOMIZED, *OMNISCIENT]
PLAN = [FULL, MODEL, CRAFT, *MEASURED]


@dataclass(frozen=True)
class Done:
    """An artifact root and the results of the jobs run in it."""

    root: Path
    results: dict[str, Result]

    def __getitem__(self, job: Job) -> Result:
        return self.results[job.key]


def run_all(jobs: Iterable[Job], root: Path) -> Done:
    return Done(root, {job.key: run(job, RunSettings(root)) for job in jobs})
