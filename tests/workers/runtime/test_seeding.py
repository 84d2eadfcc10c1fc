import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.spec.keys import derive_seed

KEYS = st.text("0123456789abcdef", min_size=64, max_size=64)


# If this fails, every stored result was computed with other random numbers than the same job would draw today: raise KEY_VERSION.
@pytest.mark.parametrize(
    ("purpose", "seed"),
    [
        ("sketch", 7_272_518_045_962_392_380),
        ("start", 415_077_687_963_928_682),
        ("order", 3_597_441_963_822_353_770),
        ("weights", 3_570_693_770_452_458_089),
    ],
)
def test_seeds_are_what_stored_results_were_computed_with(purpose, seed):
    assert derive_seed("a" * 64, purpose) == seed


@given(keys=st.lists(KEYS, min_size=2, max_size=5, unique=True))
def test_every_job_and_purpose_has_a_seed_of_its_own(keys):
    seeds = {derive_seed(key, purpose) for key in keys for purpose in ("sketch", "start", "order", "weights")}
    assert len(seeds) == 4 * len(keys)
    assert all(0 <= seed < 2**63 for seed in seeds)
