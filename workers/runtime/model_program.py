"""A trained model as a program that runs without this library: PyTorch's own format (`.pt2`), or ONNX."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from io import BytesIO
from itertools import chain

import torch
from torch.export import Dim, ExportedProgram, export, save
from torch.fx import GraphModule

from workers.artifacts.artifacts import Artifacts
from workers.errors import UserError, first_line
from workers.models.network import Network
from workers.runtime.stored_models import load_model, model_info

INPUTS, LOGITS = "inputs", "logits"  # the names of an ONNX program's input and output
_EXAMPLES = 2  # of the batch that the program is traced with: 1 would be taken for the only size
_ONNX_PACKAGES = ("onnx", "onnxscript")


def pt2_file(artifacts: Artifacts, key: str) -> bytes:
    """Return a trained model as the content of a file for `torch.export.load(FILE).module()`.

    The program maps inputs (batch, *shape) in the data set's units to logits (batch, n_classes), for a batch of any size; normalisation
    and defence are inside.

    Raises:
        UserError: the model is randomised, or PyTorch cannot export it.
        ArtifactError: its files cannot be read, or it is the job of no model.
    """
    content = BytesIO()
    save(_program(artifacts, key), content)
    return content.getvalue()


def onnx_file(artifacts: Artifacts, key: str) -> bytes:
    """Return a trained model as the content of an ONNX file: from `inputs` (batch, *shape) to `logits` (batch, n_classes).

    Raises:
        UserError: as `pt2_file`, or a package is not installed.
        ArtifactError: as `pt2_file`.
    """
    if missing := [package for package in _ONNX_PACKAGES if find_spec(package) is None]:
        raise UserError(f"ONNX: needs the package {missing[0]}; pip install 'robustsweep[onnx]'")
    program = _program(artifacts, key)
    with _quiet():
        made = torch.onnx.export(program, input_names=[INPUTS], output_names=[LOGITS], verbose=False)
    if made is None:
        raise UserError(f"model {key[:8]}: ONNX gave no program")
    content: bytes = made.model_proto.SerializeToString()
    return content


def _program(artifacts: Artifacts, key: str) -> ExportedProgram:
    """The model's forward pass in eval mode, as PyTorch traces it."""
    network, _ = load_model(artifacts, key)
    if reason := _draws(network):
        raise UserError(
            f"model {key[:8]}: {reason}, and a program without this library would draw once and for all; write FILE.safetensors, "
            "of which `rs.load_model` makes a network that draws"
        )
    shape = model_info(artifacts, key, artifacts.model(key)).shape
    with _quiet():
        return _exported(network, torch.zeros(_EXAMPLES, *shape).clamp(*network.bounds), key)


def _exported(network: Network, inputs: torch.Tensor, key: str) -> ExportedProgram:
    try:
        program = export(network, (inputs,), dynamic_shapes=({0: Dim("batch")},))
    except Exception as error:  # of PyTorch's compiler, which has no base for its errors
        raise UserError(f"model {key[:8]}: PyTorch cannot export it: {first_line(error)}") from error
    graphs = [module.graph for module in program.graph_module.modules() if isinstance(module, GraphModule)]
    for node in chain.from_iterable(graph.nodes for graph in graphs):
        node.meta.pop("stack_trace", None)  # it names the folders of this machine
    return program


def _draws(network: Network) -> str:
    """The reason why two passes of the network may differ; empty if they do not."""
    if network.sketch.theta < 1:
        return f"theta {network.sketch.theta:g} draws a sketch at every pass"
    if network.defence.randomised:
        return f"its defence {network.defence.name} draws at every pass"
    return "its network draws at every pass" if network.randomised_body else ""


@contextmanager
def _quiet() -> Iterator[None]:
    """Inside, PyTorch's exporters say nothing of their own insides."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
