"""FGSM, BIM and PGD by Foolbox 3 (Rauber et al., 2020), with the signature of the native attacks. Foolbox is imported on first use."""

import torch
from torch import Tensor, nn

from workers.attacks.engine.problem import Logits, Problem
from workers.spec.fields import NormName

_CLASSES: dict[NormName, str] = {
    "l2": "L2ProjectedGradientDescentAttack",
    "linf": "LinfProjectedGradientDescentAttack",
}


def foolbox_attack(problem: Problem, *, steps: int, stepsize: float) -> Tensor:
    """Return Foolbox's points, (batch, *shape): its projected gradient descent, of which FGSM and BIM are settings there too.

    Foolbox draws its random start from PyTorch's global generator, which is seeded from the problem's and restored afterwards.
    """
    from foolbox import attacks, criteria
    from foolbox.models.pytorch import PyTorchModel

    settings, goal = problem.settings, problem.goal
    model = PyTorchModel(_Wrapped(problem.logits), bounds=problem.bounds, device=problem.inputs.device)
    attack = getattr(attacks, _CLASSES[settings.norm])(abs_stepsize=stepsize, steps=steps, random_start=settings.facts.random_start)
    wanted = criteria.Misclassification(goal.labels) if goal.targets is None else criteria.TargetedMisclassification(goal.targets)
    with torch.random.fork_rng([problem.inputs.device] if problem.inputs.is_cuda else []):
        if settings.facts.random_start:
            torch.manual_seed(int(torch.randint(2**62, (), generator=problem.generator, device=problem.inputs.device)))
        points: Tensor = attack.run(model, problem.inputs, wanted, epsilon=settings.epsilon)
    return points.detach()


class _Wrapped(nn.Module):
    """A function as the module that Foolbox requires; a network behind it keeps its own mode."""

    def __init__(self, logits: Logits) -> None:
        super().__init__()
        self._logits = (logits,)  # in a tuple, so that a module is not registered as a submodule and moved or switched with this one
        self.eval()

    def forward(self, inputs: Tensor) -> Tensor:
        return self._logits[0](inputs)
