"""Each stage of a net may have a Tucker rank of its own."""

import pytest
from pydantic import ValidationError

from tests.workers.spec.test_keys import FINE_TUNE, PRETRAIN
from workers.data import DATASETS
from workers.models import build
from workers.models.network import MODELS
from workers.spec.fields import STAGES
from workers.spec.job import ModelSpec
from workers.spec.keys import job_key

FRACTIONS = (1.0, 0.5, 0.75, 0.25)
INFO = {"resnet18": DATASETS["digits"].info, "soundnet5": DATASETS["tones"].info, "logmel": DATASETS["tones"].info}


def ranks(**model):
    return build(ModelSpec(width=4, **model), INFO[model.get("name", "resnet18")], seed=0).ranks()


def stage_of(name, layer):
    """Where a layer is, found from the nets' own structure: two blocks a stage, or the order of the convolutions."""
    if name == "resnet18":
        return int(layer.split(".")[1]) // 2
    return list(ranks(name=name, rank_fraction=1.0)).index(layer)


@pytest.mark.parametrize("name", MODELS)
def test_every_layer_of_a_stage_has_the_rank_that_the_whole_net_would_have_at_the_stages_fraction(name):
    mixed = ranks(name=name, rank_fraction=0.1, stage_rank_fractions=FRACTIONS)
    uniform = {fraction: ranks(name=name, rank_fraction=fraction) for fraction in FRACTIONS}
    assert {stage_of(name, layer) for layer in mixed} == set(range(STAGES))
    assert mixed == {layer: uniform[FRACTIONS[stage_of(name, layer)]][layer] for layer in uniform[1.0]}


@pytest.mark.parametrize(("name", "first"), [("resnet18", "stem"), ("soundnet5", "features.0"), ("logmel", "features.1")])
def test_what_is_in_no_stage_keeps_the_rank_of_the_whole_net(name, first):
    settings = {"name": name, "tensorize_first": True, "tensorize_linear": True}
    mixed, uniform = ranks(rank_fraction=0.5, stage_rank_fractions=(1.0,) * 4, **settings), ranks(rank_fraction=0.5, **settings)
    assert mixed[first] == uniform[first]
    assert mixed["classifier"] == uniform["classifier"]
    assert mixed != uniform


@pytest.mark.parametrize("name", MODELS)
def test_a_binary_net_has_the_same_stages(name):
    assert list(ranks(name=name, binary=True, stage_rank_fractions=FRACTIONS).values()) == list(
        ranks(name=name, stage_rank_fractions=FRACTIONS).values()
    )


@pytest.mark.parametrize("fractions", [(1.0, 0.5), (1.0, 0.5, 0.5, 0.0), ()])
def test_there_is_one_legal_fraction_for_each_stage(fractions):
    with pytest.raises(ValidationError, match="must be"):
        ModelSpec(stage_rank_fractions=fractions)


@pytest.mark.parametrize("job", [PRETRAIN, FINE_TUNE], ids=["pretrain", "fine_tune"])
def test_a_net_without_such_ranks_keeps_the_key_it_had_before_there_were_any(job):
    spec = job.spec.model_dump(mode="json")
    assert spec["model"].pop("stage_rank_fractions") is None
    assert job_key(spec, job.parents) == job.key
