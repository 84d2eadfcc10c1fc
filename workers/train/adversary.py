"""The attacker inside adversarial training: makes adversarial examples of a batch for the current network."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the name that every PyTorch user knows)

from workers.attacks.engine import Logits, Watched, attack_of
from workers.attacks.engine.norms import BALLS, Ball
from workers.errors import NonFiniteError
from workers.registry import ATTACKS
from workers.spec.attack import AttackSettings
from workers.spec.fields import NormName
from workers.spec.training import TrainingSpec

_NOISE = 0.001
"""Standard deviation of the noise that a divergence is followed from: it has no gradient at the inputs themselves."""

BatchAdversary = Callable[[Tensor, Tensor], Tensor]
"""Adversarial examples of (inputs, labels)."""


def unchanged(inputs: Tensor, labels: Tensor) -> Tensor:  # noqa: ARG001 (an adversary's)
    """The inputs themselves, where training is not adversarial."""
    return inputs


def remembered(make: BatchAdversary) -> BatchAdversary:
    """An adversary that makes the examples of a batch once, and gives the same ones whenever it is asked for them again."""
    made: list[tuple[Tensor, Tensor]] = []

    def again(inputs: Tensor, labels: Tensor) -> Tensor:
        for known, examples in made:
            if known is inputs:
                return examples
        made.append((inputs, make(inputs, labels)))
        return made[-1][1]

    return again


@dataclass(frozen=True)
class DrawnAttack:
    """Settings drawn for one batch: epsilon in input units and the number of gradient steps."""

    epsilon: float
    steps: int


@dataclass(frozen=True)
class Adversary:
    """PGD, R+FGSM, RS-FGSM or N-FGSM on the training batches.

    `pgd` starts uniformly in the ball of epsilon and takes `steps` steps of `adversarial_stepsize` * epsilon / steps (Madry et al., 2018),
    uphill the cross-entropy, or where `adversarial_loss` is kl the divergence KL(p(inputs) || p(points)) from normal noise of 0.001 on
    (Zhang et al., 2019). `r_fgsm` takes a
    random step alpha * sign(N(0, 1)), alpha being `adversarial_alpha` * epsilon, then one signed-gradient step of epsilon - alpha
    (Tramer et al., 2018; Lin et al., 2019). `rs_fgsm` takes one of `adversarial_stepsize` * epsilon from a uniform point of the ball, to
    which it is projected (Wong et al., 2020); `n_fgsm` one from noise, uniform within `adversarial_noise` * epsilon, and is not projected,
    so that its points may lie outside the ball (de Jorge et al., 2022).
    Epsilon (uniform) and the number of steps (uniform over whole numbers) are drawn anew for each batch.

    The attacked network is the one being trained, its sketch live: every gradient step uses a fresh sketch, as a `randomized` attacker
    does. Its batch norm is in eval mode: the examples are made against the net as it will be attacked, and the attacker's iterates
    affect neither batch statistics nor running averages; the training step that follows uses batch statistics as usual.

    Args:
        module: the network, whose mode is eval while examples are made and is restored afterwards.
        logits: the network as a function, inputs (batch, channels, ...) within `bounds` to (batch, n_classes).
        bounds: the data set's input range.
        settings: the adversarial settings; `adversarial_training` is not `none`.
        generator: of everything drawn here, on the inputs' device; part of the checkpoint.
    """

    module: nn.Module
    logits: Logits
    bounds: tuple[float, float]
    settings: TrainingSpec
    generator: torch.Generator
    _missed: list[Tensor] = field(default_factory=list)

    def require_all_attacked(self) -> None:
        """Check that no example was left as it was since the last call, for want of a finite gradient.

        Raises:
            NonFiniteError: some were.
        """
        missed, seen = int(sum(flags.sum() for flags in self._missed)), sum(map(len, self._missed))
        self._missed.clear()
        if missed:
            raise NonFiniteError(f"{missed} of {seen} examples could not be attacked: the gradient or the logits are not finite")

    def one_a_batch(self, count: int) -> Iterator[BatchAdversary]:
        """Return the functions that make the adversarial examples, one for each of the next `count` batches."""
        return (partial(self.perturb, drawn=drawn) for drawn in self.draw(count))

    def draw(self, batches: int) -> list[DrawnAttack]:
        """Draw epsilon and steps of the next so many batches: all at once, since each transfer from a GPU synchronises it."""
        shares = torch.rand(batches, 2, generator=self.generator, device=self.generator.device).tolist()
        low, high = (float(Fraction(end)) for end in self.settings.adversarial_epsilon)
        fewest, most = self.settings.adversarial_steps
        # A float32 share may round to 1 when scaled: the largest number of steps is then used.
        return [
            DrawnAttack(low + (high - low) * epsilon, min(most, fewest + int((most - fewest + 1) * steps))) for epsilon, steps in shares
        ]

    def perturb(self, inputs: Tensor, labels: Tensor, *, drawn: DrawnAttack) -> Tensor:
        """Return adversarial examples within `drawn.epsilon` of `inputs` (n_fgsm's: of its noise) and within the bounds, of their shape;
        `inputs` are unchanged."""
        settings = self.settings
        with _evaluating(self.module):
            match settings.adversarial_training:
                case "pgd":
                    stepsize = settings.adversarial_stepsize * drawn.epsilon / drawn.steps
                    if settings.adversarial_loss == "kl":
                        return self._diverge(inputs, labels, drawn, stepsize=stepsize)
                    attack = _pgd(drawn.epsilon, steps=drawn.steps, stepsize=stepsize, norm=settings.adversarial_norm)
                    return self._ascend(inputs, labels, attack)
                case "rs_fgsm":
                    ball = BALLS["linf"](inputs, epsilon=drawn.epsilon, bounds=self.bounds)
                    step = _fgsm(settings.adversarial_stepsize * drawn.epsilon)
                    return ball.project_(self._ascend(ball.random(self.generator), labels, step))
                case "n_fgsm":
                    noisy = BALLS["linf"](inputs, epsilon=settings.adversarial_noise * drawn.epsilon, bounds=self.bounds)
                    return self._ascend(noisy.random(self.generator), labels, _fgsm(settings.adversarial_stepsize * drawn.epsilon))
                case _:
                    return self._r_fgsm(inputs, labels, drawn)

    def _r_fgsm(self, inputs: Tensor, labels: Tensor, drawn: DrawnAttack) -> Tensor:
        alpha = self.settings.adversarial_alpha * drawn.epsilon
        # The second ball lies within the first: (epsilon - alpha) around a point at alpha.
        return self._ascend((inputs + alpha * self._normal(inputs).sign()).clamp(*self.bounds), labels, _fgsm(drawn.epsilon - alpha))

    def _normal(self, inputs: Tensor) -> Tensor:
        return torch.randn(inputs.shape, generator=self.generator, device=inputs.device, dtype=inputs.dtype)

    def _diverge(self, inputs: Tensor, labels: Tensor, drawn: DrawnAttack, *, stepsize: float) -> Tensor:
        """Return points whose predictions diverge from those of the inputs, (batch, *shape): projected steps up the divergence."""
        watched = Watched.all_of(self.logits, labels)
        self._missed.append(watched.flags)
        ball: Ball = BALLS[self.settings.adversarial_norm](inputs, epsilon=drawn.epsilon, bounds=self.bounds)
        with torch.no_grad():
            clean = F.log_softmax(self.logits(inputs), dim=1)
        points = ball.project_(inputs + _NOISE * self._normal(inputs))
        for _ in range(drawn.steps):
            points.requires_grad_()
            divergence = F.kl_div(F.log_softmax(watched(points), dim=1), clean, reduction="sum", log_target=True)
            (slope,) = torch.autograd.grad(divergence, points)
            points = ball.project_(points.detach().add_(ball.direction(slope), alpha=stepsize))
        return points

    def _ascend(self, start: Tensor, labels: Tensor, attack: AttackSettings) -> Tensor:
        watched = Watched.all_of(self.logits, labels)
        self._missed.append(watched.flags)  # looked at once an epoch: each look waits for a GPU
        return attack_of(attack)(watched, start, labels, settings=attack, generator=self.generator, bounds=self.bounds)


def _pgd(epsilon: float, *, steps: int, stepsize: float, norm: NormName) -> AttackSettings:
    own = ATTACKS["pgd"].settings.model_validate({"steps": steps, "abs_stepsize": stepsize})
    return AttackSettings(name="pgd", norm=norm, epsilon=epsilon, epsilon_literal=f"{epsilon:g}", settings=own)


def _fgsm(epsilon: float) -> AttackSettings:
    return AttackSettings(name="fgsm", epsilon=epsilon, epsilon_literal=f"{epsilon:g}")


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    before = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(before)
