"""Facts of components: stated where one is registered, stored with its results, never inferred from its name."""

from collections.abc import Callable, Mapping
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from workers.components.settings import Frozen

Modality = Literal["audio", "image"]
Loader = Callable[..., Any]


def _require_known(fact: str, values: object, legal: tuple[str, ...]) -> None:
    """Check a fact whose values are names.

    Raises:
        TypeError: they are no tuple, as `norms="linf"` is not, or one is unknown.
    """
    if not isinstance(values, tuple) or not values or not set(values) <= set(legal):
        raise TypeError(f"{fact}={values!r}: must be a tuple of {', '.join(legal)}, such as {legal[:1]}")


@dataclass(frozen=True)
class DatasetInfo:
    """Everything that networks and attacks must know of a data set.

    `shape` is an example's, (channels, height, width) or (channels, samples); `mean` and `std` are per channel, in input units;
    `low` and `high` bound every legal input: [0, 1] for images, [-1, 1] for waveforms. `classes` are the classes' names, if they have any.
    """

    n_classes: int
    shape: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    low: float = 0.0
    high: float = 1.0
    classes: tuple[str, ...] = ()

    @property
    def modality(self) -> Modality:
        """`image` for (channels, height, width), `audio` for (channels, samples)."""
        return "image" if len(self.shape) > 2 else "audio"  # noqa: PLR2004

    @property
    def half_range(self) -> float:
        """Half of the input range, in input units: any input can be made the range's middle, in which there is nothing to see."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class _Facts:
    """Facts of a component; the `name` under which it is registered is for the decorators alone, and not kept."""

    name: InitVar[str | None] = field(default=None, kw_only=True)


@dataclass(frozen=True)
class ModelFacts(_Facts):
    """A network: the inputs that it takes, if its forward pass is random, the patterns of the layer names of
    its stages after the first convolution (for `stage_rank_fractions` of old spaces), if it is `normalised`: takes inputs in the
    data set's units and normalises them itself, where we would do so for others, and if it keeps the initial weights that its factory
    draws from PyTorch's global generator, which is seeded (`initialised`; the others' are drawn by us)."""

    modality: Modality = "image"
    randomised: bool = False
    stages: tuple[str, ...] = ()
    normalised: bool = False
    initialised: bool = False

    def __post_init__(self, name: str | None) -> None:
        _require_known("modality", (self.modality,), get_args(Modality))


@dataclass(frozen=True)
class DatasetFacts(_Facts):
    """A data set: its info (None where it depends on files: the loaded `Dataset` has it then), its sizes (None where they depend on
    files, which `count(root)` then counts), the folder that it needs of a data root (empty: none), and if its images may be mirrored and
    cropped without becoming others (`photographs`).

    Without an info, that is derived from the examples when they are read; their `modality` is known before, and their shape
    where `shape(**settings)` says it.

    `check(root, **settings)` raises DataError where files are missing, quickly and without reading them, `verify` where one of them cannot
    be used, by reading all; `download(root)` puts the published files into an empty root. `files(root, **settings)` names the files whose
    content is part of a job's key (None: published files that are checked by their checksums, or none).
    """

    info: DatasetInfo | None = None
    n_train: int | None = None
    n_test: int | None = None
    folder: str = ""
    photographs: bool = False
    check: Loader | None = None
    count: Loader | None = None
    download: Loader | None = None
    verify: Loader | None = None
    files: Loader | None = None
    shape: Loader | None = None
    modality: Modality = "image"

    def __post_init__(self, name: str | None) -> None:
        _require_known("modality", (self.modality,), get_args(Modality))
        object.__setattr__(self, "modality", self.modality if self.info is None else self.info.modality)


@dataclass(frozen=True)
class AttackFacts(_Facts):
    """An attack: its norms, if it takes gradients, if it starts at a random point (only such an attack has restarts), if it compares
    points while it runs (`selects`), the loss by which outcomes are compared (a setting `loss` takes its place; `targeted_loss` where
    there is a target), if Foolbox has it too, and if it is `one_step`, in the same direction whatever epsilon is.

    One that `minimises` looks for the smallest perturbation, whatever epsilon is, and succeeds where that is within epsilon. One that is
    `untargeted` takes no target. One that `restarts` starts at the clean example, and at random points in its later runs alone. A `suite`
    consists of other attacks (see `workers.spec.attack`). A `library`'s asks the net by itself: its gradients are averaged over
    no draws (knowledge `eot`), and one that `selects` trusts single evaluations, which only those of a deterministic net are worth. Its
    `modalities` are those of the inputs that it takes."""

    norms: tuple[str, ...] = ("linf",)
    takes_gradients: bool = True
    random_start: bool = False
    selects: bool = False
    loss: str = "ce"
    targeted_loss: str = ""
    foolbox: bool = False
    one_step: bool = False
    minimises: bool = False
    untargeted: bool = False
    restarts: bool = False
    suite: bool = False
    library: bool = False
    modalities: tuple[Modality, ...] = ("audio", "image")

    @property
    def own_norm(self) -> str:
        """The norm where none is said: linf where it has that."""
        return "linf" if "linf" in self.norms else self.norms[0]

    @property
    def averages(self) -> bool:
        """True where its gradients can be averaged over draws."""
        return self.takes_gradients and not self.library

    @property
    def has_restarts(self) -> bool:
        """True where a second run may differ from the first."""
        return (self.random_start or self.restarts) and not self.suite

    def __post_init__(self, name: str | None) -> None:
        _require_known("norms", self.norms, ("l2", "linf"))
        object.__setattr__(self, "targeted_loss", self.targeted_loss or self.loss)
        _require_known("modalities", self.modalities, get_args(Modality))


@dataclass(frozen=True)
class DefenceFacts(_Facts):
    """A defence: if it draws at every forward pass, if it is put `around` a trained network (the others are trained in), the
    modalities that it takes, and if it acts on ReLUs (which a binary network lacks)."""

    randomised: bool = False
    around: bool = True
    modalities: tuple[Modality, ...] = ("audio", "image")
    acts_on_relus: bool = False

    def __post_init__(self, name: str | None) -> None:
        _require_known("modalities", self.modalities, get_args(Modality))


@dataclass(frozen=True)
class LossFacts(_Facts):
    """A training loss, the settings of a training that it is published with (they are its defaults), and if its labels may be `mixed`:
    shares of the classes, (batch, n_classes), in place of one class each."""

    training: Mapping[str, Any] = field(default_factory=dict)
    mixed: bool = False


@dataclass(frozen=True)
class MetricFacts(_Facts):
    """A metric of attacked examples: its heading in tables, its decimals, the modalities that it takes (`always` there for them, or
    only where a space asks for it), and how the values of all examples become one."""

    heading: str = ""
    decimals: int = 2
    modalities: tuple[Modality, ...] = ("audio", "image")
    always: bool = False
    over_examples: Literal["mean", "median"] = "mean"

    def __post_init__(self, name: str | None) -> None:
        _require_known("modalities", self.modalities, get_args(Modality))


@dataclass(frozen=True)
class CorruptionFacts(_Facts):
    """A common corruption of images; the `published` ones are those of the benchmark's mean, a space's default."""

    published: bool = False


class PluginVersion(Frozen):
    """A plugin, by its path or as an installed distribution by its name, and the SHA-256 of its content; `files` are the digests of those
    of its files that matter here, by name."""

    path: str
    digest: str
    files: dict[str, str] = {}


@dataclass(frozen=True)
class CodeSource:
    """Place of a component's code: the file, and where it is a plugin's (None: ours) the digest of what that reaches there, and a function
    that gives the digest of one definition in it by its qualified name (None: only all of it has one)."""

    path: Path | None = None
    digest: str | None = None
    plugin: PluginVersion | None = None
    digest_of: Callable[[str], str] | None = field(default=None, compare=False)
