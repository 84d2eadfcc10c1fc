"""Imported values are checked all at once, each that is another one once, and none that is wrong gets by."""

import json

import pytest

from orchestrator.store.maintenance.archive_format import _as_rows
from orchestrator.store.maintenance.row_checks import check_rows
from orchestrator.store.schema.base import table_of
from orchestrator.store.schema.result_tables import AttackResultRecord
from workers.errors import UserError

TABLE = table_of(AttackResultRecord)
COLUMNS = {"repeat": 0, "epsilon_literal": "8/255", "epsilon": 8 / 255, "early_stop": False, "settings": {"steps": 10}, "loss": "ce"}


def rows(**last):
    return [*(dict(COLUMNS) for _ in range(3)), COLUMNS | last]


def test_rows_that_are_right_pass():
    check_rows("there", TABLE, rows(loss=None))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"repeat": -1}, "import there: repeat -1: Input should be greater than or equal to 0"),
        ({"epsilon_literal": "nine"}, 'import there: epsilon_literal "nine": Value error, must be a number'),
        ({"epsilon": float("nan")}, "import there: epsilon NaN: Input should be a finite number"),
        ({"settings": [10]}, r"import there: settings \[10\]: Input should be a valid dictionary"),
        ({"repeat": None}, "import there: repeat null: Input should be a valid integer"),
        ({"early_stop": [False]}, r"import there: early_stop \[false\]: Input should be a valid boolean"),
    ],
)
def test_one_wrong_value_among_right_ones_is_named(wrong, said):
    with pytest.raises(UserError, match=f"^{said}"):
        check_rows("there", TABLE, rows(**wrong))


def test_a_value_that_equals_a_right_one_and_is_of_another_type_is_checked_too():
    """True equals 1, and JSON's settings are not to hold either for the other."""
    strict = [COLUMNS | {"settings": {"steps": 1}}, COLUMNS | {"settings": {"steps\x00": True}}]
    with pytest.raises(UserError, match="import there: settings"):
        check_rows("there", TABLE, strict)
    with pytest.raises(UserError, match="import there: epsilon_literal 1: Input should be a valid string"):
        check_rows("there", TABLE, [COLUMNS | {"epsilon_literal": "1"}, COLUMNS | {"epsilon_literal": 1}])


def test_columns_become_rows_with_their_json_decoded():
    texts = [json.dumps({"steps": 1}), None, json.dumps({"steps": 1}), json.dumps({"steps": 2})]
    found = _as_rows(TABLE, {"repeat": [0, 1, 2, 3], "settings": texts})
    assert found == [{"repeat": place, "settings": text and json.loads(text)} for place, text in enumerate(texts)]
