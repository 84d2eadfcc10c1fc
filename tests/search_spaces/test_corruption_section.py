"""The section of a space that asks for common corruptions."""

from typing import Any

import pytest

from orchestrator.planning.expand import expand_space
from search_spaces import CorruptionSection, SpaceError, parse_space
from workers.spec.corruption import published
from workers.spec.stage_specs import CorruptSpec

SPACE = """
name: small
data: {name: DATA}
model: {name: MODEL, tensorized: false}
training: {epochs: 1}
evaluation: {examples: 20, repeats: 3}
corruptions: SECTION
"""


def space(section: str, *, data: str = "digits", model: str = "resnet18") -> Any:
    return parse_space(SPACE.replace("SECTION", section).replace("DATA", data).replace("MODEL", model), label="small.yaml", stem="small")


def test_an_empty_section_is_every_published_kind_at_every_severity():
    found = list(CorruptionSection().resolved())
    assert len(found) == len(published()) * 5
    assert {(one.name, one.severity) for one in found} >= {("fog", 1), ("snow", 5)}


def test_every_kind_and_severity_is_a_job_that_runs_once_where_nothing_is_random():
    jobs = [job for job in expand_space(space("{kind: [fog, snow], severity: [1, 5]}")) if isinstance(job.spec, CorruptSpec)]
    assert len(jobs) == 4
    assert {job.spec.evaluation.examples for job in jobs if isinstance(job.spec, CorruptSpec)} == {20}
    assert not [job for job in expand_space(space("null")) if isinstance(job.spec, CorruptSpec)]


@pytest.mark.parametrize(
    ("section", "given", "message"),
    [
        ("{}", {"data": "tones", "model": "soundnet5"}, "tones is audio, and only images are corrupted; leave corruptions out"),
        ("{severity: 6}", {}, "must be in [1, 5]"),
        ("{kind: frost}", {}, "one of brightness, contrast"),
        ("{kinds: fog}", {}, "unknown key; did you mean 'kind'?"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(section: str, given: dict[str, str], message: str):
    with pytest.raises(SpaceError) as refused:
        space(section, **given)
    assert message in str(refused.value)
    assert "corruptions" in str(refused.value)
