"""A model that asks something of layers that its network lacks is refused before anything is trained."""

import pytest
import torch
from torch import nn

import robustsweep as rs
from orchestrator.planning.expand import expand_space
from orchestrator.planning.prelaunch_checks import check_effects
from robustsweep.testing import check_defence
from search_spaces import parse_space
from tests.builders import fine_tune_job, pretrain_job
from tests.commands import robustsweep
from tests.workers.small import DIGITS, network, split
from workers.errors import JobError, UserError
from workers.measure.evaluate import require_draws_before_training
from workers.models.network.network import bare_body
from workers.models.network.planned_layers import require_effects
from workers.registry import MODELS
from workers.runtime.run import RunSettings, run
from workers.spec.component import UNDEFENDED, DefenceSpec
from workers.spec.model import ModelSpec

VIT = {"patch": 8, "depth": 1, "width": 4, "heads": 1}
SPACE = """
data: {{name: digits, train_examples: 8}}
model: {{{}}}
defence: {{name: {}}}
training: {{epochs: 1}}
fine_tuning: {{epochs: 1}}
evaluation: {{examples: 8}}
"""


@pytest.fixture(scope="module", autouse=True)
def nets():
    @rs.model
    def linear_net(info):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, info.n_classes))

    @rs.model
    def convolutions_net(info):
        pooled = nn.Sequential(nn.GELU(), nn.Conv2d(2, info.n_classes, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return nn.Sequential(nn.Conv2d(info.shape[0], 2, 3), pooled)

    @rs.model
    def once_binary_net(info, *, binary: bool = False):
        return nn.Sequential(nn.Conv2d(info.shape[0], 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, info.n_classes))


def jobs(model, defence="none"):
    return expand_space(parse_space(SPACE.format(model, defence), label="s", stem="s"))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("name: linear_net, theta: [1.0, 0.9]", r"model\.theta=0\.9: no layer of linear_net is .*; set model\.tensorize_linear: true"),
        ("name: vit, theta: 0.9", r"model\.theta=0\.9: .* set model\.tensorize_first or model\.tensorize_linear or .*_attention: true"),
        ("name: linear_net, rank_fraction: [0.25, 0.5]", r"model\.rank_fraction=0\.25: no layer"),
        ("name: linear_net, rank_fractions: {'1': 0.25}", r"model\.rank_fractions=.*: no layer"),
        ("name: linear_net, factorization: cp", "model.factorization=cp: no layer"),
        ("name: linear_net, init: decompose", "model.init=decompose: no layer"),
        ("name: resnet18, rank_fractions: {stem: 0.25}", r"model\.rank_fractions='stem': matches no layer of resnet18"),
        ("name: once_binary_net, binary: [false, true]", "model.binary=true: once_binary_net has no convolution but"),
    ],
)
def test_what_would_do_nothing_is_refused_before_a_launch(model, said):
    with pytest.raises(UserError, match=said):
        check_effects(jobs(model))


@pytest.mark.parametrize(
    ("model", "defence", "said"),
    [
        ("name: vit", "stochastic_activation_pruning", "defence stochastic_activation_pruning: acts on nn.ReLU modules, and"),
        ("name: convolutions_net", "defensive_dropout", "defence defensive_dropout: acts on linear layers, and Sequential has none"),
    ],
)
def test_a_defence_without_layers_to_act_on_is_refused_before_a_launch(model, defence, said):
    with pytest.raises(UserError, match=said):
        check_effects(jobs(model, defence))


@pytest.mark.parametrize(
    "model",
    [
        "name: linear_net",
        "name: linear_net, theta: 0.9, tensorize_linear: true",
        "name: vit, theta: 0.9, tensorize_attention: true",
        "name: convolutions_net, theta: 0.9, rank_fraction: 0.25",
        "name: resnet18, theta: 0.9, rank_fraction: 0.25, binary: true",
        "name: linear_net, tensorized: false",
    ],
)
def test_what_does_something_is_let_through(model):
    check_effects(jobs(model))


def test_a_net_that_cannot_be_built_here_is_left_to_the_job():
    @rs.model
    def elsewhere_net(info):
        raise UserError("only where its library is installed")

    check_effects(jobs("name: elsewhere_net, theta: 0.9"))


@pytest.mark.parametrize("name", [found.name for found in MODELS if found.facts.stages])
def test_our_nets_of_stages_have_what_they_are_believed_to_have(name):
    """The check before a launch does not build them."""
    audio = MODELS[name].facts.modality == "audio"
    info = DIGITS.info if not audio else rs.DatasetInfo(4, (1, 16_000), (0.0,), (1.0,), -1.0)
    for defence in (UNDEFENDED, *(DefenceSpec(name=one) for one in ("defensive_dropout", "stochastic_activation_pruning"))):
        spec = ModelSpec(name=name, width=2, theta=0.9)
        require_effects(bare_body(spec, info, seed=0), spec, defence)
    binary = ModelSpec(name=name, width=2, binary=True)
    require_effects(bare_body(binary, info, seed=0), binary, UNDEFENDED)


def test_launch_refuses_in_one_line_and_makes_nothing(tmp_path):
    (tmp_path / "s.yaml").write_text(SPACE.format("name: vit, theta: [1.0, 0.9]", "none"))
    found = robustsweep("launch", tmp_path / "s.yaml", "--executor", "inline", "--home", tmp_path / "home", cwd=tmp_path)
    assert found.returncode == 2
    assert found.stderr.startswith("robustsweep: model.theta=0.9: no layer of vit is tensorized")
    assert len(found.stderr.splitlines()) == 1
    assert not list((tmp_path / "home").glob("artifacts/*"))


def test_a_job_refuses_before_it_trains(tmp_path):
    model = ModelSpec(name="vit", **VIT)
    trained = pretrain_job()
    trained = trained.model_copy(update={"spec": trained.spec.model_copy(update={"model": model, "data": jobs("name: vit")[0].spec.data})})
    settings = RunSettings(tmp_path)
    run(trained, settings)
    with pytest.raises(UserError, match=r"model\.theta=0\.8: no layer of vit is tensorized"):
        run(fine_tune_job(trained), settings)


def test_a_defence_of_ones_own_that_never_draws_is_found_before_training():
    @rs.defence(randomised=True, around=False)
    class NeverDraws(rs.Defence):
        def transform(self, inputs):
            return inputs

    check_defence("never_draws")
    net = network(defence=DefenceSpec(name="never_draws"))
    with pytest.raises(JobError, match=r"theta=1\.0 defence=never_draws: a forward pass draws nothing, and it should be random"):
        require_draws_before_training(net, split(8))
    for random in (network(theta=0.9), network(defence=DefenceSpec(name="defensive_dropout"))):
        state = {name: value.clone() for name, value in random.train().state_dict().items()}
        require_draws_before_training(random, split(8))
        assert random.training
        assert all(torch.equal(value, random.state_dict()[name]) for name, value in state.items())
