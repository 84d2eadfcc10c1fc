"""Stages that give a model: trainings, and weights that are adopted, chosen, or put behind a defence."""

from collections.abc import Mapping

import torch
from safetensors.torch import save
from torch import Tensor

from workers.artifacts.artifacts import MODEL_FILE
from workers.artifacts.outcomes import EpochRecord, TrainOutcome
from workers.components.facts import DatasetInfo
from workers.errors import UserError
from workers.measure.evaluate import require_draws_before_training, require_logits_before_training
from workers.models.network import Network, build, decomposed
from workers.models.network.behaviour import require_sound
from workers.models.network.network import bare_body
from workers.models.network.planned_layers import require_effects
from workers.progress import Report
from workers.runtime.job_context import JobContext
from workers.runtime.stored_models import BEST_FILE, model_info, stored
from workers.spec.stage_specs import TrainSpec
from workers.train import Extra, train
from workers.train.chosen_weights import BestWeights
from workers.train.watch import MOST_EXAMPLES
from workers.weights.tensors import from_safetensors, load_into

Trained = tuple[TrainOutcome, dict[str, bytes]]


def train_stage(context: JobContext, spec: TrainSpec, report: Report) -> Trained:
    split = context.split(spec.data.unlimited, "train", spec.data.train_examples, context.job)
    info = context.info(spec.data)
    network = _untrained(context, spec, info)
    if network.randomised_body and context.group.size > 1:
        raise UserError(f"model {spec.model.name}: draws in its layers, each process would draw anew; train it with --gpus-per-train 1")
    network.to(context.device)
    require_draws_before_training(network, split)
    network.seed(context.seed("sketch"))
    if (component := spec.model.component).place:
        require_logits_before_training(network, split, n_classes=info.n_classes, named=f"model {component.name} ({component.place})")
    if spec.stage == "pretrain" and spec.model.is_foreign:
        require_sound(network, info, name=spec.model.name)
    attack = None if spec.training.adversarial_training == "none" else context.generator("attack")
    order, checkpoint = context.generator("order"), context.checkpoint
    held_out = context.split(spec.data.unlimited, "validation", MOST_EXAMPLES, context.job) if spec.data.validation_examples else None
    best = None if held_out is None else BestWeights(network)
    history = train(
        network,
        split,
        spec.training,
        order=order,
        checkpoint=checkpoint,
        report=report,
        attack=attack,
        until=spec.until,
        validation=held_out,
        best=best,
        extra=_extra(context, spec, info),
        group=context.group,
    )
    return _trained(network, history, info, resumed=checkpoint.resumed, best=best)


def _extra(context: JobContext, spec: TrainSpec, info: DatasetInfo) -> Extra | None:
    """Return the further examples that the job trains on.

    Raises:
        UserError: they have other classes or another shape.
    """
    if (data := spec.data.extra_data) is None:
        return None
    found = context.info(data)
    if (found.shape, found.n_classes) != (info.shape, info.n_classes):
        theirs, ours = (f"{one.n_classes} classes of {'x'.join(map(str, one.shape))}" for one in (found, info))
        raise UserError(f"data.extra={data.name}: has {theirs}, and {spec.data.name} has {ours}; must be the same")
    return Extra(context.split(data, "train", None, context.job), spec.data.extra_share)


def take_weights(context: JobContext, spec: TrainSpec) -> Trained:
    """Return weights unchanged: adopted ones, or the parent's (its last ones, or its best), to which loading this job's model adds the
    defence in the spec."""
    info = context.info(spec.data) if spec.stage == "adopt" else model_info(context.artifacts, context.parent("weights"), spec)
    return _trained(_untrained(context, spec, info), [], info)


def _adopted(context: JobContext, spec: TrainSpec, info: DatasetInfo) -> Network:
    """Return a network with the weights of the job's digest, once it has been found to behave as measurements suppose."""
    digest = context.job.digests.get("weights")
    if digest is None:
        raise UserError(f"job {context.job.key}: its stage adopt needs the digest of weights, and it has none")
    network = build(spec.model, info, seed=0, defence=spec.defence)
    tensors = from_safetensors(context.artifacts.weights(digest), digest=digest)
    load_into(network.body, tensors, renamed=spec.model.weights_map, name=spec.model.name)
    require_sound(network, info, name=spec.model.name)
    return network


def _trained(
    network: Network, history: list[EpochRecord], info: DatasetInfo, *, resumed: str | None = None, best: BestWeights | None = None
) -> Trained:
    n_parameters = sum(parameter.numel() for parameter in network.parameters())
    files = {MODEL_FILE: _saved(network.state_dict())}
    epoch = None if best is None else best.epoch
    if best is not None and history and epoch != history[-1].epoch:
        files[BEST_FILE] = _saved(best.weights)
    outcome = TrainOutcome(
        history=history, ranks=network.ranks(), n_parameters=n_parameters, resumed=resumed, data_info=info, best_epoch=epoch
    )
    return outcome, files


def _saved(weights: Mapping[str, Tensor]) -> bytes:
    return save({name: tensor.cpu().clone(memory_format=torch.contiguous_format) for name, tensor in weights.items()})


def _untrained(context: JobContext, spec: TrainSpec, info: DatasetInfo) -> Network:
    """Return the network at the start of its training, on the CPU.

    Raises:
        UserError: its settings ask for what none of its layers can give.
    """
    if spec.may_lack_layers:
        require_effects(bare_body(spec.model, info, seed=0), spec.model, spec.defence)
    if spec.stage == "pretrain":
        return build(spec.model, info, seed=context.seed("weights"), defence=spec.defence)
    if spec.stage == "adopt":
        return _adopted(context, spec, info)
    parent, weights = stored(context.artifacts, context.parent("weights"), best=spec.stage == "select")
    dense = spec.model.tensorized and not parent.model.tensorized
    network = build(parent.model, info, seed=0) if dense else build(spec.model, info, seed=0, defence=spec.defence)
    network.load_state_dict(weights)
    return decomposed(network, spec.model, info, defence=spec.defence) if dense else network
