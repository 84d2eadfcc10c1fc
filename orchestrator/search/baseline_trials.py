"""Parent models, from which trials' models are fine-tuned: they are trained anyway, so measuring them costs no epoch."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.planning.expand import deduplicate, grid_jobs
from orchestrator.search.suggest import ParameterValues
from orchestrator.search.trial_index import evaluated, identity_of
from search_spaces import Space
from workers.errors import UserError
from workers.spec.job import Job

_THETA = "model.theta"


@dataclass(frozen=True)
class BaselineTrial:
    """Configuration of the space: its values, and the identity of its jobs (`identity_of`)."""

    values: ParameterValues
    identity: str


def baseline_of(space: Space, values: ParameterValues, jobs: Sequence[Job]) -> BaselineTrial | None:
    """Return the configuration with theta 1 where `values` are below, if the space has it and its model is trained among their `jobs`."""
    theta = next((parameter for parameter in space.parameters if parameter.name == _THETA), None)
    if theta is None or values.get(_THETA) in (None, 1):
        return None
    at_one = {**values, _THETA: theta.exact(1.0)}
    if any(parameter.applies(values) != parameter.applies(at_one) for parameter in space.parameters):
        return None
    try:
        theta.require(1.0)
        found = deduplicate(grid_jobs(space.at(at_one)))
    except (ValueError, UserError):
        return None
    trained = {job.key for job in jobs}
    return BaselineTrial(at_one, identity_of(found)) if trained.issuperset(evaluated(found)) else None
