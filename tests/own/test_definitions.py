"""What the digest of one component covers: its definition and what that reaches by name, whatever else is edited in its files."""

from collections.abc import Callable
from pathlib import Path

import pytest

from workers.plugins import load_plugins
from workers.registry import REGISTRIES

pytestmark = pytest.mark.usefixtures("forgotten")
MINE = '''
"""Five components."""
from functools import cache
import torch
import robustsweep as rs
from helpers import first, second
import shapes

SCALE = 2.0
SIZES: dict[str, int] = {}

def double(x):
    """Doubled."""
    return SCALE * x

@cache
def cached(x):
    return second(x)

@rs.attack
def hit(logits, inputs, labels, *, epsilon, steps: int = 3):
    """Hits."""
    return double(inputs)  # twice

class Base(rs.Defence):
    def transform(self, inputs):
        return first(inputs)

@rs.defence
class Blur(Base):
    """Blurs."""

@rs.model
def net(info, *, depth: int = 1):
    return shapes.square(cached(depth))

@rs.loss
def fit(network, inputs, labels, adversary):
    from helpers import third
    return third(network)

@rs.metric
def spy(clean, attacked, labels):
    return globals()["SCALE"]
'''
HELPERS = "UNIT = 1\ndef first(x):\n    return x + UNIT\ndef second(x):\n    return x\ndef third(x):\n    return x\n"
SHAPES = "def square(x):\n    return x\n"
NAMES = {"hit": "attack", "blur": "defence", "net": "model", "fit": "loss", "spy": "metric"}


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[str, str, str], set[str]]:
    """The components whose digests an edit of a file changes."""

    def digests(edited: dict[str, str]) -> dict[str, str | None]:
        for name, text in {"mine.py": MINE, "helpers.py": HELPERS, "shapes.py": SHAPES, **edited}.items():
            (tmp_path / name).write_text(text)
        load_plugins(["mine.py"], folder=tmp_path)
        return {name: REGISTRIES[kind][name].digest for name, kind in NAMES.items()}

    texts = {"mine.py": MINE, "helpers.py": HELPERS, "shapes.py": SHAPES}
    before = digests({})
    assert len(set(before.values())) == len(NAMES)

    def edit(file: str, old: str, new: str) -> set[str]:
        assert old in texts[file]
        after = digests({file: texts[file].replace(old, new, 1)})
        return {name for name in NAMES if after[name] != before[name]}

    return edit


ALL = set(NAMES)


@pytest.mark.parametrize(
    ("file", "old", "new", "components"),
    [
        ("mine.py", "  # twice", "", set()),
        ("mine.py", "Hits.", "Hits hard.", set()),
        ("mine.py", '"""Five components."""', '"""Five."""', set()),
        ("mine.py", "double(inputs)  # twice", "(double(\n        inputs))", set()),
        ("mine.py", "import torch\n", "import torch\n\n\n# more\nimport json\n", {"spy"}),
        ("mine.py", "steps: int = 3", "steps: int = 4", {"hit", "spy"}),
        ("mine.py", "SCALE * x", "x * SCALE", {"hit", "spy"}),
        ("mine.py", "SCALE = 2.0", "SCALE = 3.0", {"hit", "spy"}),
        ("mine.py", "@rs.attack\n", "@rs.attack(random_start=True)\n", {"hit", "spy"}),
        ("mine.py", "return first(inputs)", "return -first(inputs)", {"blur", "spy"}),
        ("mine.py", "return second(x)", "return 2 * second(x)", {"net", "spy"}),
        ("mine.py", "class Base", "SIZES['a'] = 1\nclass Base", ALL),
        ("mine.py", "class Base", "torch.manual_seed(0)\nclass Base", ALL),
        ("helpers.py", "UNIT = 1", "UNIT = 2", {"blur", "spy"}),
        ("helpers.py", "def second(x):\n    return x", "def second(x):\n    return 3 * x", {"net", "spy"}),
        ("helpers.py", "def third(x):\n    return x", "def third(x):\n    return 3 * x", {"fit", "spy"}),
        ("helpers.py", "def first", "# first\n\ndef first", set()),
        ("shapes.py", "return x", "return x * x", {"net", "spy"}),
    ],
)
def test_an_edit_changes_the_components_that_reach_it(changed, file: str, old: str, new: str, components: set[str]) -> None:
    assert changed(file, old, new) == components


def test_one_definition_more_changes_no_other(changed) -> None:
    more = (
        "def unused(x):\n    return x\n\n@rs.metric\ndef another(clean, attacked, labels):\n    return unused(clean)\n\n@rs.attack\ndef hit"
    )
    assert changed("mine.py", "@rs.attack\ndef hit", more) == {"spy"}


def test_what_a_function_of_the_plugin_decorates_counts_for_all(tmp_path: Path) -> None:
    text = """
import robustsweep as rs
KNOWN = {{}}
def known(function):
    KNOWN[function.__name__] = function
    return function
@known
def helper(x):
    return {value}
@rs.metric
def m1(clean, attacked, labels):
    return KNOWN["helper"](clean)
def make(size):
    @rs.metric(name=f"made{{size}}")
    def inner(clean, attacked, labels):
        return size
    return inner
made = make({size})
"""
    digests = {}
    for value, size in ((1, 1), (2, 1), (1, 2)):
        (tmp_path / "mine.py").write_text(text.format(value=value, size=size))
        load_plugins(["mine.py"], folder=tmp_path)
        found = REGISTRIES["metric"]
        digests[value, size] = (found["m1"].digest, found[f"made{size}"].digest)
    assert digests[1, 1][0] != digests[2, 1][0]
    assert digests[1, 1][0] == digests[1, 2][0]
    assert digests[1, 1][1] != digests[1, 2][1]
