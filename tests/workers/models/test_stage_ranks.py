"""Each stage of a net may have a Tucker rank of its own."""

import pytest
from pydantic import ValidationError

from tests.workers.small import data_set
from workers.errors import UserError
from workers.models.network import build
from workers.models.network.planned_layers import planned_layers, require_matched
from workers.registry import MODELS
from workers.spec.model import ModelSpec

FRACTIONS = (1.0, 0.5, 0.75, 0.25)
INFO = {"resnet18": data_set("digits").info, "soundnet5": data_set("tones").info, "logmel": data_set("tones").info}


def ranks(*, stage_rank_fractions=None, **model):
    if stage_rank_fractions is not None:
        stages = MODELS[model.get("name", "resnet18")].facts.stages
        model["rank_fractions"] = dict(zip(stages, stage_rank_fractions, strict=True))
    return build(ModelSpec(width=4, **model), INFO[model.get("name", "resnet18")], seed=0).ranks()


def stage_of(name, layer):
    """Where a layer is, found from the nets' own structure: two blocks a stage, or the order of the convolutions."""
    if name == "resnet18":
        return int(layer.split(".")[1]) // 2
    return list(ranks(name=name, rank_fraction=1.0)).index(layer)


@pytest.mark.parametrize("name", INFO)
def test_every_layer_of_a_stage_has_the_rank_that_the_whole_net_would_have_at_the_stages_fraction(name):
    mixed = ranks(name=name, rank_fraction=0.1, stage_rank_fractions=FRACTIONS)
    uniform = {fraction: ranks(name=name, rank_fraction=fraction) for fraction in FRACTIONS}
    assert {stage_of(name, layer) for layer in mixed} == set(range(4))
    assert mixed == {layer: uniform[FRACTIONS[stage_of(name, layer)]][layer] for layer in uniform[1.0]}


@pytest.mark.parametrize(("name", "first"), [("resnet18", "stem"), ("soundnet5", "features.0"), ("logmel", "features.1")])
def test_what_is_in_no_stage_keeps_the_rank_of_the_whole_net(name, first):
    settings = {"name": name, "tensorize_first": True, "tensorize_linear": True}
    mixed, uniform = ranks(rank_fraction=0.5, stage_rank_fractions=(1.0,) * 4, **settings), ranks(rank_fraction=0.5, **settings)
    assert mixed[first] == uniform[first]
    assert mixed["classifier"] == uniform["classifier"]
    assert mixed != uniform


@pytest.mark.parametrize("name", INFO)
def test_a_binary_net_has_the_same_stages(name):
    assert list(ranks(name=name, binary=True, stage_rank_fractions=FRACTIONS).values()) == list(
        ranks(name=name, stage_rank_fractions=FRACTIONS).values()
    )


def test_the_first_pattern_that_matches_the_beginning_of_a_name_counts():
    mixed = ranks(rank_fraction=0.5, rank_fractions={r"blocks\.0\.conv1": 0.25, r"blocks\.0\.": 1.0})
    quarter, whole, half = (ranks(rank_fraction=fraction) for fraction in (0.25, 1.0, 0.5))
    assert mixed["blocks.0.conv1"] == quarter["blocks.0.conv1"]
    assert mixed["blocks.0.conv2"] == whole["blocks.0.conv2"]
    assert mixed["blocks.1.conv1"] == half["blocks.1.conv1"]


@pytest.mark.parametrize(("fractions", "message"), [({"blocks": 0.0}, "must be in"), ({"(": 0.5}, "no regular expression")])
def test_fractions_are_legal_and_patterns_are_regular_expressions(fractions, message):
    with pytest.raises(ValidationError, match=message):
        ModelSpec(rank_fractions=fractions)


@pytest.mark.parametrize("name", [found.name for found in MODELS if found.facts.stages])
def test_the_stages_of_every_net_match_layers_of_it(name):
    fractions = dict(zip(MODELS[name].facts.stages, FRACTIONS, strict=True))
    require_matched(ModelSpec(name=name, width=4, rank_fractions=fractions), ranks(name=name))


def test_a_pattern_that_matches_no_tensorized_layer_names_those_that_there_are():
    spec = ModelSpec(width=4, rank_fractions={r"blocks\.": 0.5, r"stem": 0.25})
    message = r"^model\.rank_fractions='stem': matches no layer of resnet18 that is tensorized; one of blocks\.0\.conv1, .*"
    with pytest.raises(UserError, match=message):
        require_matched(spec, ranks())
    with pytest.raises(UserError, match=message):
        planned_layers(spec, INFO["resnet18"])
    require_matched(spec.model_copy(update={"tensorized": False}), [])
