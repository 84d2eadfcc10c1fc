"""A trained model as one safetensors file that needs no artifacts: its weights, and in the header all that its network is built from."""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, load_file, save

from workers.artifacts.artifacts import MODEL_FILE, Artifacts
from workers.errors import UserError, first_line
from workers.facts import DatasetInfo
from workers.models.network import Network, build
from workers.runtime.stored_models import model_info
from workers.spec.job import TrainSpec

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
