"""More training examples than are left once some are held out are refused before anything runs."""

import pytest

from orchestrator.planning.expand import expand_space
from orchestrator.planning.prelaunch_checks import check_sizes
from search_spaces import parse_space
from workers.errors import UserError

SPACE = """
data: {{name: digits, train_examples: {}, validation_examples: {}}}
model: {{width: 2}}
training: {{epochs: 1}}
"""


def checked(train, validation):
    check_sizes(expand_space(parse_space(SPACE.format(train, validation), label="s", stem="s")))


def test_as_many_as_are_left_can_be_trained_on():
    checked(1397, 0)
    checked(1257, 0.1)


@pytest.mark.parametrize(
    ("train", "validation", "said"),
    [
        (1258, 0.1, "train_examples=1258: must be at most 1257, the size of digits's training split without the 140 that are held out"),
        ("null", 1397, "data.validation_examples=1397: must be less than 1397, digits's training split"),
    ],
)
def test_more_are_refused_in_one_line(train, validation, said):
    with pytest.raises(UserError, match=said):
        checked(train, validation)
