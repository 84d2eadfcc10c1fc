"""Checks that adversarial examples made beforehand fit an attack's spec. Reads specs, no tensors."""

from typing import Any

from workers.artifacts.artifacts import Artifacts
from workers.errors import ArtifactError
from workers.spec.attack import AttackSettings
from workers.spec.stage_specs import AttackSpec, CraftSpec


def require_fitting_examples(artifacts: Artifacts, spec: AttackSpec, *, model: str, examples: str, source: str) -> None:
    """Check that examples were made with the attack's settings, from the test examples that the attacked model is evaluated on.

    Other checks would miss these errors: examples of another data set of the same shape lie outside the ball and are detected, but
    those of another attack, model or number of steps lie in it too.

    Args:
        artifacts: of the jobs.
        spec: the attack.
        model: the key of the attacked model's job.
        examples: the key of the job that made the examples.
        source: the key of the job of the model that they must have been made on.

    Raises:
        ArtifactError: they do not fit, or one of the jobs is missing or of another stage.
    """
    job = artifacts.job(examples)
    if not isinstance(job.spec, CraftSpec):
        raise ArtifactError(f"job {examples}: a {job.stage} job has no examples")
    facts = {
        "made on": (f"model {job.parents.get('model')}", f"model {source}"),
        "of": (_first(job.spec), _first(spec)),
        "from": (_data(artifacts, source, job.spec), _data(artifacts, model, spec)),
        "by": (_settings(job.spec.attack, spec.attack), _settings(spec.attack, job.spec.attack)),
    }
    for what, (found, expected) in facts.items():
        if found != expected:
            raise ArtifactError(f"job {examples}: its examples do not fit the attack: {what} {found}, not {expected}")


def _settings(attack: AttackSettings, other: AttackSettings) -> str:
    """Format the attack's settings that differ from the other one's, except for the notation of epsilon."""
    mine, theirs = (_flat(settings) for settings in (attack, other))
    return " ".join(f"{name}={value}" for name, value in mine.items() if value != theirs.get(name))


def _flat(attack: AttackSettings) -> dict[str, Any]:
    return attack.model_dump(exclude={"epsilon_literal", "settings"}) | dict(attack.settings)


def _first(spec: CraftSpec | AttackSpec) -> str:
    examples, split = spec.evaluation.examples, spec.evaluation.split
    order = "" if spec.evaluation.order == "balanced" else f", in {spec.evaluation.order} order"
    if (shard := spec.evaluation.shard) is not None:
        return f"{examples} {split} examples from place {shard.first} on{order}"
    return f"all {split} examples" if examples is None else f"the first {examples} {split} examples{order}"


def _data(artifacts: Artifacts, model: str, spec: CraftSpec | AttackSpec) -> str:
    """Format the name and split lists of a model's data set, which determine its test split, and what is held out where that is measured
    on."""
    data = artifacts.model(model).data
    held_out = [("validation_examples", data.validation_examples)] if spec.evaluation.split == "validation" else []
    own = ", ".join(f"{name} {value}" for name, value in [*data.settings, *held_out])
    return f"{data.name} ({own})" if own else data.name
