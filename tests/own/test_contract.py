"""What a component of one's own may look like: decorators bare and called, attributes without one, data in any form, gradients stated."""

from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
import torch

from search_spaces import SpaceError, parse_space
from tests.builders import pretrain_job
from tests.workers.small import data_set, generator, network, run_attack, split
from workers.attacks.engine import Watched
from workers.components.facts import AttackFacts, DefenceFacts, MetricFacts, ModelFacts
from workers.errors import DataError, UserError
from workers.models.network import build
from workers.plugins import job_from_json, load_plugins
from workers.registry import ATTACKS, DATASETS, DEFENCES, LOSSES, METRICS, MODELS
from workers.spec.attack import AttackSettings
from workers.spec.component import DefenceSpec
from workers.spec.job import Job
from workers.spec.model import ModelSpec
from workers.spec.stage_specs import AttackSpec, EvaluationSpec

pytestmark = pytest.mark.usefixtures("forgotten")
HEAD = "import numpy as np\nimport torch\nfrom torch import nn\nimport robustsweep as rs\n"


def load(folder: Path, text: str, *, name: str = "nets.py") -> None:
    (folder / name).write_text(HEAD + dedent(text))
    load_plugins([name], folder=folder)


def test_every_decorator_is_used_bare_or_with_facts(tmp_path: Path) -> None:
    load(
        tmp_path,
        """
        @rs.model
        def net_one(info, *, depth: int = 2): ...
        @rs.model(modality="audio", normalised=True)
        def net_two(info): ...
        @rs.attack
        def attack_one(logits, inputs, labels, *, epsilon): ...
        @rs.attack(norms=("l2", "linf"), random_start=True, loss="margin")
        def attack_two(logits, inputs, labels, *, epsilon, norm, generator): ...
        @rs.defence
        class MyJpeg(rs.Defence): ...
        @rs.defence(randomised=True, around=False)
        class Other(rs.Defence): ...
        @rs.loss
        def loss_one(network, inputs, labels, adversary, *, beta: float = 6.0): ...
        @rs.metric
        def metric_one(clean, attacked, labels): ...
        @rs.dataset
        def data_one(root): ...
        """,
    )
    assert MODELS["net_one"].facts == ModelFacts("image")
    assert MODELS["net_two"].facts == ModelFacts("audio", normalised=True)
    assert ATTACKS["attack_one"].facts == AttackFacts(targeted_loss="ce")
    assert ATTACKS["attack_two"].facts == AttackFacts(("l2", "linf"), random_start=True, loss="margin", targeted_loss="margin")
    assert DEFENCES["my_jpeg"].facts == DefenceFacts(around=True)
    assert DEFENCES["other"].facts == DefenceFacts(randomised=True, around=False)
    assert LOSSES["loss_one"].settings().model_dump() == {"beta": 6.0}
    assert METRICS["metric_one"].facts == MetricFacts()
    assert DATASETS["data_one"].facts.info is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("@rs.model\ndef net(): ...", "line 5: model net: takes () by position, must take (info, *, ...)"),
        ("@rs.model\ndef net(info, other): ...", "model net: takes (info, other) by position, must take (info, *, ...)"),
        ("@rs.model\ndef net(info, depth=3): ...", "model net: parameter depth stands before the *; settings stand after it"),
        ("@rs.model\ndef net(info, *, depth=3): ...", "net: parameter depth has no type"),
        ("@rs.model(modality='picture')\ndef net(info): ...", "line 5: modality=('picture',): must be a tuple of audio, image"),
        ("@rs.attack\ndef hit(logits, inputs): ...", "must take (problem, *, ...) or (logits, inputs, labels, *, ...)"),
        ("@rs.attack(norms='linf')\ndef hit(logits, inputs, labels): ...", "norms='linf': must be a tuple of l2, linf"),
        ("@rs.attack(norm=('linf',))\ndef hit(logits, inputs, labels): ...", "@attack(norm=...): no such keyword"),
        ("@rs.loss\ndef bad(network, inputs, labels): ...", "must take (network, inputs, labels, adversary, *, ...)"),
        ("@rs.defence\nclass Bad(rs.Defence):\n    def __init__(self, size): ...", "takes (size) by position, must take (*, ...)"),
        ("@rs.dataset\ndef data(): ...", "must take (root, *, ...)"),
        ("@rs.metric\ndef bad(clean): ...", "must take (clean, attacked, labels, *, ...)"),
    ],
)
def test_a_wrong_signature_is_one_line_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path, text)
    message = str(caught.value)
    assert message.startswith(f"plugin {tmp_path}/nets.py: line 5: ")
    assert said in message
    assert "\n" not in message


def test_a_class_or_function_without_decorator_is_a_component_by_its_name(tmp_path: Path) -> None:
    load(
        tmp_path,
        """
        class Other(nn.Module):
            '''A linear net.'''
            randomised = True

            def __init__(self, num_classes, width: int = 4, in_channels=3, *, scale=0.5):
                super().__init__()
                self.width, self.scale = width, scale
                self.layers = nn.Sequential(nn.Flatten(), nn.Linear(in_channels * 1024, width), nn.Linear(width, num_classes))

            def forward(self, inputs):
                return self.layers(inputs)

        def of_info(info, *, depth: int = 1):
            return nn.Linear(depth, info.n_classes)

        def hit(net, x, y, *, epsilon, norm, generator, share: float = 1.0):
            return x + epsilon * share

        def no_classes(width: int): ...

        @rs.model(normalised=True)
        def known(info, *, size: int = 1): ...

        NUMBER = 3
        """,
    )
    other = MODELS["nets:Other"]
    assert (other.name, other.summary, other.facts) == ("nets:Other", "A linear net.", ModelFacts("image", randomised=True))
    assert other.settings().model_dump() == {"width": 4, "scale": 0.5}
    net = other.create(data_set("digits").info, width=6, scale=0.1)
    assert (net.width, net.scale, net(torch.zeros(2, 3, 32, 32)).shape) == (6, 0.1, (2, 10))
    assert MODELS["nets:of_info"].create(data_set("digits").info, depth=3).in_features == 3
    assert ATTACKS["nets:hit"].facts == AttackFacts(("l2", "linf"), random_start=True)
    assert ATTACKS["nets:hit"].settings().model_dump() == {"share": 1.0}
    assert MODELS["nets:known"].facts.normalised
    assert MODELS["nets:Other"] is other
    for name, said in [
        ("nets:no_classes", "takes (width), must take one of info, n_classes, num_classes"),
        ("nets:Othr", "nets.py has no Othr (did you mean Other?)"),
        ("nets:NUMBER", "is int, must be a class or a function"),
        ("nts:Other", "one of "),
    ]:
        with pytest.raises(ValueError, match="model") as caught:
            MODELS[name]
        assert said in str(caught.value)
        assert name not in MODELS


def test_a_network_that_normalises_itself_gets_data_units(tmp_path: Path) -> None:
    load(
        tmp_path,
        """
        class Seen(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = nn.Linear(1, 10)
            def forward(self, inputs):
                self.seen = inputs
                return self.layer(inputs.flatten(1)[:, :1])

        @rs.model(normalised=True)
        def raw_net(info):
            return Seen()

        @rs.model
        def usual_net(info):
            return Seen()
        """,
    )
    inputs, info = torch.rand(2, 3, 32, 32), data_set("digits").info
    seen = {}
    for name in ("raw_net", "usual_net"):
        net = build(ModelSpec(name=name, tensorized=False), info, seed=0)
        net(inputs)
        seen[name] = net.body.seen
    assert torch.equal(seen["raw_net"], inputs)
    torch.testing.assert_close(seen["usual_net"], (inputs - info.mean[0]) / info.std[0])


def test_a_setting_may_be_a_tuple_which_files_have_as_a_list(tmp_path: Path) -> None:
    load(tmp_path, "@rs.model\ndef net(info, *, sizes: tuple[int, ...] | None = (1,), pairs: tuple[tuple[int, int], ...] = ()): ...")
    job = Job.of(pretrain_job().spec.model_copy(update={"model": ModelSpec.model_validate({"name": "net", "sizes": [2, 3]})}))
    assert job.spec.model.settings.model_dump() == {"sizes": (2, 3), "pairs": ()}
    assert job_from_json(job.model_dump_json()) == job
    with pytest.raises(ValueError, match=r"sizes\.1=x: Input should be a valid integer"):
        ModelSpec.model_validate({"name": "net", "sizes": [2, "x"]})


def test_a_defence_states_the_gradient_that_an_attacker_uses(tmp_path: Path) -> None:
    load(
        tmp_path,
        """
        @rs.defence
        class Levels(rs.Defence):
            def __init__(self, *, levels: int = 4, scale: float = 2.0):
                self.levels, self.scale = levels, scale
            def transform(self, inputs):
                return (inputs * self.levels).round() / self.levels
            def backward_approximation(self, inputs):
                return self.scale * inputs if self.scale else None

        @rs.model(normalised=True)
        def adder(info):
            return nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))
        """,
    )
    inputs = torch.rand(2, 3, 32, 32, requires_grad=True)
    gradients = {}
    for scale in (0.0, 1.0, 2.0):
        defence = DefenceSpec(name="levels", scale=scale)
        net = build(ModelSpec(name="adder", tensorized=False), data_set("digits").info, seed=0, defence=defence)
        logits = net(inputs)
        assert torch.equal(logits, net.body((inputs * 4).round() / 4))
        (gradients[scale],) = torch.autograd.grad(logits.sum(), inputs)
    weights = net.body[1].weight.sum(dim=0).view(3, 32, 32)
    assert float(gradients[0.0].abs().max()) == 0
    torch.testing.assert_close(gradients[1.0][0], weights)
    torch.testing.assert_close(gradients[2.0][0], 2 * weights)


def test_an_attack_under_eot_sees_the_mean_logits_of_fresh_draws_and_has_a_key_that_says_so(tmp_path: Path) -> None:
    load(
        tmp_path,
        """
        SEEN = []

        @rs.attack
        def looks(logits, inputs, labels, *, epsilon):
            points = inputs.requires_grad_(True)
            found = logits(points)
            SEEN.append((found.detach(), *torch.autograd.grad(found[:, 0].sum(), points)))
            return points.detach()
        """,
    )
    seen = ATTACKS["looks"].create.__globals__["SEEN"]
    net, (inputs, labels) = network(theta=0.6), split(3).batch(slice(3))
    keys, watched = {}, {}
    for samples in (1, 4):
        settings = AttackSettings(name="looks", epsilon=0.1, epsilon_literal="0.1", eot_samples=samples)
        watched[samples] = Watched.all_of(net, labels)
        net.seed(0)
        run_attack(watched[samples], inputs, labels, settings=settings, generator=generator(), randomness="batch")
        knowledge = "eot" if samples > 1 else "randomized"
        job = Job.of(AttackSpec(attack=settings, knowledge=knowledge, evaluation=EvaluationSpec(), repeat=0))
        keys[samples] = job.digests.get("eot")
    net.seed(0)
    points = inputs.clone().requires_grad_(True)
    draws = [net(points) for _ in range(4)]
    torch.testing.assert_close(seen[1][0], torch.stack(draws).mean(dim=0))
    torch.testing.assert_close(seen[1][1], torch.autograd.grad(sum(draw[:, 0].sum() for draw in draws) / 4, points)[0])
    torch.testing.assert_close(seen[0][0], draws[0])
    assert [(one.passes.forward, one.passes.backward) for one in watched.values()] == [(3, 3), (12, 12)]
    assert keys == {1: None, 4: "mean logits"}


DATA = """
    from torch.utils.data import TensorDataset
    RANDOM = np.random.default_rng(0)
    LABELS = np.arange(30) % 3
    IMAGES = {"bytes": RANDOM.integers(0, 256, (30, 2, 5, 5), dtype=np.uint8), "unit": RANDOM.random((30, 2, 5, 5))}
    IMAGES["signed"] = 2 * IMAGES["unit"] - 1
    IMAGES["large"] = 9 * IMAGES["unit"]

    @rs.dataset
    def mine(root, *, kind: str = "bytes", given: str = "arrays"):
        inputs = IMAGES[kind]
        parts = [(inputs[:20], LABELS[:20]), (inputs[20:], LABELS[20:])]
        if given == "tensors":
            parts = [TensorDataset(*map(torch.from_numpy, part)) for part in parts]
        from PIL import Image
        if given == "pillow":
            parts = [[(Image.fromarray(image[0]), int(label)) for image, label in zip(*part)] for part in parts]
        if given == "rows":
            parts = [[{"img": Image.fromarray(image[0]), "label": int(label)} for image, label in zip(*part)] for part in parts]
        return rs.Dataset(*parts) if given == "arrays" else tuple(parts)

    @rs.dataset
    def loose(root, *, kind: str = "grey"):
        return wrong(root, kind=kind)

    @rs.dataset(info=rs.DatasetInfo(n_classes=2, shape=(2, 5, 5), mean=(0, 0), std=(1, 1)))
    def wrong(root, *, kind: str = "bytes"):
        if kind == "grey":
            return (IMAGES["bytes"][:, 0], LABELS), (IMAGES["bytes"][:, 0], LABELS)
        if kind == "last":
            return (np.zeros((30, 5, 5, 3), np.uint8), LABELS), (np.zeros((30, 5, 5, 3), np.uint8), LABELS)
        if kind == "columns":
            rows = [{"img": image, "fine_label": 0, "coarse_label": 0} for image in IMAGES["bytes"]]
            return rows, rows
        return {"nothing": 3, "text": rs.Split(IMAGES["bytes"], np.array(["a"] * 30)) if kind == "text" else None}.get(
            kind, ((IMAGES["bytes"], LABELS), (IMAGES["bytes"][:, :, :4], LABELS)))
"""


@pytest.mark.parametrize("given", ["arrays", "tensors", "pillow", "rows"])
def test_data_are_arrays_or_map_style_and_their_info_is_derived(tmp_path: Path, given: str) -> None:
    load(tmp_path, DATA)
    found = data_set("mine", given=given)
    assert found.info is None
    loaded = found.load(None)
    info = found.info_of(loaded)
    channels = 1 if given in ("pillow", "rows") else 2
    assert (info.n_classes, info.shape, info.low, info.high) == (3, (channels, 5, 5), 0, 1)
    assert (loaded.train.inputs.dtype, len(loaded.train), len(loaded.test)) == (np.uint8, 20, 10)
    np.testing.assert_allclose(info.mean, loaded.train.inputs.mean(axis=(0, 2, 3)) / 255, atol=1e-5)
    np.testing.assert_allclose(info.std, loaded.train.inputs.std(axis=(0, 2, 3)) / 255, atol=1e-5)
    assert loaded.test.labels.tolist() == [(20 + place) % 3 for place in range(10)]


def test_bounds_are_those_that_the_values_lie_in(tmp_path: Path) -> None:
    load(tmp_path, DATA)
    unit, signed = (data_set("mine", kind=kind).load(None) for kind in ("unit", "signed"))
    assert (unit.info.low, signed.info.low, unit.train.inputs.dtype) == (0, -1, np.float32)
    with pytest.raises(DataError, match=r"values in \[0.0\d+, 8.9\d+\]: must be in \[0, 1\] or \[-1, 1\]"):
        data_set("mine", kind="large").load(None)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("nothing", "returned int, must be a Dataset or a pair"),
        ("classes", "label 2, its info says 2 classes"),
        ("columns", "rows of an example and a label; they have the columns img, fine_label, coarse_label"),
    ],
)
def test_data_that_are_not_as_stated_are_one_line(tmp_path: Path, kind: str, said: str) -> None:
    load(tmp_path, DATA)
    with pytest.raises(DataError, match=said):
        data_set("wrong", kind=kind).load(None)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("grey", r"dataset loose: examples of shape \(5, 5\): .* a grey image has one channel, inputs\[:, None\]"),
        ("last", r"dataset loose: examples of shape \(5, 5, 3\): the channels stand last; .*transpose\(0, 3, 1, 2\)"),
    ],
)
def test_images_without_a_channel_axis_in_its_place_are_refused_with_the_way_out(tmp_path: Path, kind: str, said: str) -> None:
    load(tmp_path, DATA)
    with pytest.raises(DataError, match=said):
        data_set("loose", kind=kind).load(None)


def test_an_attack_of_images_alone_is_refused_on_waveforms(tmp_path: Path) -> None:
    plugin = "import robustsweep as rs\n@rs.attack(modalities=('image',))\ndef of_images(logits, inputs, labels):\n    return inputs\n"
    (tmp_path / "mine.py").write_text(plugin)
    text = (
        "plugins: [mine.py]\ndata: {name: tones}\nmodel: {name: logmel}\ntraining: {epochs: 1}\nattacks: [{attack: of_images, epsilon: 1}]"
    )
    with pytest.raises(SpaceError, match=r"^x\.yaml:5: attacks\.attack=of_images: changes images, and tones is audio"):
        parse_space(text, label="x.yaml", stem="x", folder=tmp_path)
