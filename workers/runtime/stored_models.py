"""Trained models as artifacts or as files of their own: their weights, the best ones among them, and the networks made of these."""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, load_file, save
from torch import Tensor

from workers.artifacts.artifacts import MODEL_FILE, Artifacts
from workers.artifacts.outcomes import TrainOutcome
from workers.components.facts import DatasetInfo
from workers.data.loading import source
from workers.errors import ArtifactError, UserError, first_line
from workers.models.network import Network, build
from workers.spec.component import DataSpec
from workers.spec.stage_specs import TrainSpec

BEST_FILE = "best.safetensors"


def load_model(artifacts: Artifacts, key: str) -> tuple[Network, DataSpec]:
    """Return a trained model, on the CPU, frozen and in eval mode, by its job key, and the data that it was trained on.

    Raises:
        ArtifactError: its files cannot be read, or it is the job of no model.
    """
    spec, weights = stored(artifacts, key)
    network = build(spec.model, model_info(artifacts, key, spec), seed=0, defence=spec.defence)
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False), spec.data


def model_info(artifacts: Artifacts, key: str, spec: TrainSpec) -> DatasetInfo:
    """Return the info of the data set that a model was trained on, by its job key and its spec."""
    outcome = artifacts.result(key).outcome
    read = outcome.data_info if isinstance(outcome, TrainOutcome) else None
    if (info := read or source(spec.data).info) is None:
        raise ArtifactError(f"job {key}: its result has no info of its data set", key=key)
    return info


def stored(artifacts: Artifacts, key: str, *, best: bool = False) -> tuple[TrainSpec, dict[str, Tensor]]:
    """Return a model's training spec and its weights, the last or the best ones, by its job key."""
    return artifacts.model(key), load(artifacts.read(key, _best_file(artifacts, key) if best else MODEL_FILE))


def _best_file(artifacts: Artifacts, key: str) -> str:
    """Return the file of a training's best weights.

    Raises:
        UserError: it kept none: an earlier version did not.
    """
    result = artifacts.result(key)
    if not isinstance(result.outcome, TrainOutcome) or (epoch := result.outcome.best_epoch) is None:
        raise UserError(f"training {key}: kept no best weights (an earlier version did not); with another seed it is trained anew")
    return MODEL_FILE if epoch == result.outcome.history[-1].epoch else BEST_FILE


_SPEC, _INFO, _KEY = "robustsweep.spec", "robustsweep.info", "robustsweep.key"
_INFOS = TypeAdapter(DatasetInfo)


def model_file(artifacts: Artifacts, key: str) -> bytes:
    """Return the content of a trained model's file.

    Raises:
        ArtifactError: the job's files cannot be read, or it is the job of no model.
    """
    spec = artifacts.model(key)
    header = {_KEY: key, _SPEC: spec.model_dump_json(), _INFO: _INFOS.dump_json(model_info(artifacts, key, spec)).decode()}
    return save(load(artifacts.read(key, MODEL_FILE)), metadata=header)


def load_model_file(path: str | Path, *, seed: int = 0) -> Network:
    """Return the model of a file that `export-model` wrote, on the CPU and in eval mode.

    It maps inputs (batch, *shape) in the data set's units to logits (batch, n_classes); normalisation, sketch and defence are inside.
    Of a network of one's own the plugin must be loaded: `robustsweep.testing.load("nets.py")`.

    Args:
        path: the file.
        seed: of its draws, where it is randomised; `.seed(n)` sets another.

    Raises:
        UserError: it is no such file, or its network is not registered here.
    """
    try:
        with safe_open(path, "pt") as opened:
            header = opened.metadata() or {}
        spec = TrainSpec.model_validate_json(header[_SPEC], context={"stored": True})
        network = build(spec.model, _INFOS.validate_json(header[_INFO]), seed=0, defence=spec.defence)
        network.load_state_dict(load_file(path))
    except KeyError:
        raise UserError(f"{path}: names no model; must be a file of `robustsweep export-model`") from None
    except (OSError, SafetensorError, ValidationError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as a model: {first_line(error)}") from error
    network.seed(seed)
    return network.eval().requires_grad_(False)
