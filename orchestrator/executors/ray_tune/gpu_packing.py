"""Number of jobs that share a GPU, from the memory that similar jobs took."""

import math
from collections.abc import Hashable, Iterable

from orchestrator.store.reading.timings import Footprint
from workers.spec.stage_specs import CONTEXT_BYTES, AttackSpec, CraftSpec, DiagnoseSpec, JobSpec, SurfaceSpec, TrainSpec, batch_size

SMALLEST_SHARE = 1 / 8
_MARGIN = 1.2


class GpuPacking:
    """Share of a GPU that a job gets: the memory of the largest similar job, a fifth more, and the CUDA context, rounded up to eighths; a
    whole GPU for the first of its kind, whose memory is then measured.

    Jobs are similar on equal nets, or else on nets that differ only in their ranks or sketches: such an estimate may be too small, and
    the job then runs out of its share, without harm to others, and gets a whole GPU.

    Args:
        gpu_memory: bytes of the cluster's smallest GPU; None where they are not known: then nothing is shared.
        footprints: measured memory of finished jobs.
    """

    def __init__(self, *, gpu_memory: int | None, footprints: Iterable[Footprint] = ()) -> None:
        self._gpu_memory = gpu_memory
        self._largest: dict[Hashable, int] = {}
        for footprint in footprints:
            self.learn(footprint.spec, footprint.model, footprint.peak_memory)

    def learn(self, spec: JobSpec, model: TrainSpec, peak_memory: int) -> None:
        """Record that a job of this kind, on this model (its own spec, if it trained one), took `peak_memory` bytes."""
        for kind in _kinds(spec, model):
            self._largest[kind] = max(peak_memory, self._largest.get(kind, 0))

    def share(self, spec: JobSpec, model: TrainSpec | None) -> float:
        """Return the share of such a job, 1/8 to 1; `model` is None where it is unknown."""
        kinds = () if model is None else _kinds(spec, model)
        known = next((self._largest[kind] for kind in kinds if kind in self._largest), None)
        if known is None or self._gpu_memory is None:
            return 1.0
        eighths = math.ceil((known * _MARGIN + CONTEXT_BYTES) / self._gpu_memory / SMALLEST_SHARE)
        return min(1.0, eighths * SMALLEST_SHARE)


def _kinds(spec: JobSpec, model: TrainSpec) -> tuple[Hashable, Hashable]:
    """Return keys that are equal for jobs that take about as much memory, the more specific first; seeds, thetas between 0 and 1, epsilons
    and numbers of steps do not matter."""
    net = model.model.model_copy(update={"theta": 1.0 if model.model.theta == 1 else 0.5})
    rest = (spec.stage, model.data, model.defence.name, batch_size(spec), *_work(spec))
    return (net, *rest), ((net.name, net.settings, net.binary), *rest)


def _work(spec: JobSpec) -> tuple[Hashable, ...]:
    match spec:
        case TrainSpec():
            return (spec.training.adversarial_training,)
        case AttackSpec() | CraftSpec():
            attack = spec.attack
            return (spec.evaluation.examples, attack.name, attack.norm, attack.eot_samples, attack.selection_draws > 1)
        case DiagnoseSpec():
            return spec.diagnosis.examples, spec.diagnosis.draws > 1
        case SurfaceSpec():
            return ()
        case _:
            return (spec.evaluation.examples,)
