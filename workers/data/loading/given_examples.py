"""Examples as a data set's author gives them: arrays, or a map-style data set of PyTorch; and what networks must know of them."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from workers.components.facts import DatasetInfo, Modality
from workers.errors import DataError

Arrays = tuple[NDArray[Any], NDArray[np.int64]]
_EXACT: dict[str, tuple[float, int]] = {"uint8": (0.0, 255), "int16": (-1.0, 32_768)}
"""Coded values: the lower bound of what they stand for, and the number to divide by."""
_LABEL = "label"
_CHANNELS = (1, 3)
_OTHERWISE: dict[Modality, str] = {
    "image": "must be (channels, height, width); a grey image has one channel, inputs[:, None]; "
    'waveforms are declared, @dataset(modality="audio")',
    "audio": 'must be (channels, samples), or declared as images, @dataset(modality="image")',
}
"""Messages about examples that are declared as these and are others."""
_FEWEST_DIMENSIONS, _MOST_DIMENSIONS, _PAIR = 3, 4, 2


class MapStyle(Protocol):
    """A map-style data set, as PyTorch and torchvision have them: pairs of an example and a label, by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


def as_arrays(given: Any) -> Arrays:
    """The inputs (examples, *shape) and the labels (examples,) of what an author gives: a pair (inputs, labels) of arrays or tensors, or a
    map-style data set, whose items are pairs of a tensor, an array or one of Pillow's images, and a label, or rows with these columns.

    Raises:
        DataError: these are no examples with one label each.
    """
    inputs, labels = given if isinstance(given, tuple) and len(given) == _PAIR else _gathered(given)
    return checked((_inputs(inputs), _labels(labels)))


def checked(arrays: Arrays) -> Arrays:
    """The inputs and the labels, if they have the shapes that we need.

    Raises:
        DataError: they have not; the message says what is wrong.
    """
    inputs, labels = arrays
    if not _FEWEST_DIMENSIONS <= inputs.ndim <= _MOST_DIMENSIONS:
        raise DataError(f"inputs of shape {inputs.shape}: must be (examples, channels, height, width) or (examples, channels, samples)")
    if labels.shape != inputs.shape[:1]:
        raise DataError(f"labels of shape {labels.shape} for inputs of shape {inputs.shape}: must be one for each example")
    if not len(labels):
        raise DataError("a split has no examples")
    if labels.min() < 0:
        raise DataError(f"label {labels.min()}: must be 0 or more")
    return arrays


def derived_info(train: Arrays, test: Arrays) -> DatasetInfo:
    """Info of a data set whose author states none: classes up to the largest label, the bounds [0, 1] or [-1, 1], whichever its values
    lie in, and the normalisation of its training examples.

    Raises:
        DataError: its values lie in neither, or the two splits differ in shape.
    """
    (inputs, labels), (test_inputs, test_labels) = train, test
    if inputs.shape[1:] != test_inputs.shape[1:]:
        raise DataError(f"training examples of shape {inputs.shape[1:]}, test examples of {test_inputs.shape[1:]}: must be alike")
    n_classes = int(max(labels.max(), test_labels.max())) + 1
    return DatasetInfo(n_classes, inputs.shape[1:], *_moments(inputs), *_bounds(inputs, test_inputs))


def require_modality(name: str, info: DatasetInfo, modality: Modality) -> None:
    """Check that a data set's examples are such as their author says.

    Raises:
        DataError: they are waveforms, say, and called images; or an image's channels stand last.
    """
    said = f"dataset {name}: examples of shape {info.shape}:"
    if info.modality != modality:
        raise DataError(f"{said} {_OTHERWISE[modality]}")
    if modality == "image" and info.shape[-1] in _CHANNELS and info.shape[0] not in _CHANNELS:
        raise DataError(f"{said} the channels stand last; must stand first; inputs.transpose(0, 3, 1, 2)")


def _moments(inputs: NDArray[Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, in input units; 1 for one without deviation."""
    scale = _EXACT.get(inputs.dtype.name, (0.0, 1))[1]
    others = tuple(axis for axis in range(inputs.ndim) if axis != 1)
    mean = inputs.mean(axis=others, dtype=np.float64) / scale
    std = inputs.std(axis=others, dtype=np.float64) / scale
    return tuple(float(f"{value:.6g}") for value in mean), tuple(float(f"{value:.6g}") if value else 1.0 for value in std)


def _bounds(*splits: NDArray[Any]) -> tuple[float, float]:
    kind = splits[0].dtype.name
    if kind in _EXACT:
        return _EXACT[kind][0], 1.0
    low, high = min(float(inputs.min()) for inputs in splits), max(float(inputs.max()) for inputs in splits)
    if not (low >= -1 and high <= 1):
        raise DataError(
            f"values in [{low:g}, {high:g}]: must be in [0, 1] or [-1, 1], or state their bounds: @dataset(info=DatasetInfo(...))"
        )
    return (0.0 if low >= 0 else -1.0), 1.0


def _gathered(given: Any) -> tuple[Any, Any]:
    if not (hasattr(given, "__len__") and hasattr(given, "__getitem__")):
        raise DataError(f"{type(given).__name__}: must be a Split, a pair (inputs, labels), or a map-style data set")
    pairs = [_pair(given[index]) for index in range(len(given))]
    if not all(isinstance(pair, Sequence) and len(pair) == _PAIR for pair in pairs):
        raise DataError(f"{type(given).__name__}: its items must be pairs of an example and a label{_columns(pairs[0])}")
    return _stacked([_channels_first(example) for example, _ in pairs]), [int(label) for _, label in pairs]


def _pair(item: Any) -> Any:
    """Return a row of two columns, one of them `label`, as Hugging Face's data sets have it, as a pair; anything else as it is."""
    if isinstance(item, Mapping) and len(item) == _PAIR and len(named := item.keys() - {_LABEL}) == 1:
        return item[named.pop()], item[_LABEL]
    return item


def _columns(item: Any) -> str:
    return f", or rows of an example and a {_LABEL}; they have the columns {', '.join(map(str, item))}" if isinstance(item, Mapping) else ""


def _stacked(examples: Sequence[NDArray[Any]]) -> NDArray[Any]:
    if len(shapes := {example.shape for example in examples}) > 1:
        raise DataError(f"examples of shapes {', '.join(map(str, sorted(shapes)[:3]))}: must all have one")
    return np.stack(examples) if examples else np.empty((0, 1, 1))


def _channels_first(example: Any) -> NDArray[Any]:
    """An example (channels, ...): of Pillow's images the channels come last, or are left out where there is one."""
    values = np.asarray(example)
    if not hasattr(example, "getbands"):
        return values
    return values[None] if values.ndim == _PAIR else np.ascontiguousarray(values.transpose(2, 0, 1))


def _inputs(values: Any) -> NDArray[Any]:
    found = np.asarray(values)
    if found.dtype.name in (*_EXACT, "float32"):
        return found
    if found.dtype.kind != "f":
        raise DataError(f"inputs of type {found.dtype}: must be uint8 (0 to 255 stand for [0, 1]), int16, or floating-point numbers")
    return found.astype(np.float32)


def _labels(values: Any) -> NDArray[np.int64]:
    found = np.asarray(values)
    if found.dtype.kind not in "iu":
        raise DataError(f"labels of type {found.dtype}: must be whole numbers")
    return found.astype(np.int64, copy=False)
