import math
import re
import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.spec.fields import Interval, epsilon_fraction


def accepted(interval, values):
    return [value for value in values if not refused(interval, value)]


def refused(interval, value):
    try:
        return interval(value) != value
    except ValueError:
        return True


@pytest.mark.parametrize(
    ("interval", "legal"),
    [
        (Interval(0, 1), [0, 0.5, 1]),
        (Interval(0, 1, low_open=True), [0.5, 1]),
        (Interval(0, 1, high_open=True), [0, 0.5]),
        (Interval(0, 1, low_open=True, high_open=True), [0.5]),
        (Interval(0), [0, 0.5, 1, 2]),
    ],
)
def test_interval_takes_its_closed_ends_and_refuses_its_open_ones(interval, legal):
    assert accepted(interval, [-1, -1e-300, 0, 0.5, 1, 2]) == [value for value in legal if value >= 0]
    assert refused(interval, math.nan)


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        (Interval(0, 1, low_open=True), "must be in (0, 1]"),
        (Interval(0, 1, high_open=True), "must be in [0, 1)"),
        (Interval(1), "must be >= 1"),
        (Interval(0, low_open=True), "must be > 0"),
    ],
)
def test_interval_names_the_legal_values(interval, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        interval(-5)


@given(numerator=st.integers(1, 255))
def test_epsilon_literals_are_exact_fractions(numerator):
    assert epsilon_fraction(f"{numerator}/255") == Fraction(numerator, 255)


@pytest.mark.parametrize(
    ("literal", "value"), [("0.031", Fraction(31, 1000)), ("1e-2", Fraction(1, 100)), ("1", Fraction(1)), (" 8/255 ", Fraction(8, 255))]
)
def test_epsilon_literals_may_be_decimals(literal, value):
    assert epsilon_fraction(literal) == value


@pytest.mark.parametrize(
    "digits", [repr(8 / 255), f"{8 / 255:.15g}", "0.031372549", "0.03137255", repr(struct.unpack("f", struct.pack("f", 8 / 255))[0])]
)
def test_an_epsilon_as_tools_write_it_is_the_fraction_that_it_is_next_to(digits):
    assert epsilon_fraction(digits) == Fraction(8, 255)
    assert epsilon_fraction("0.0313726") == Fraction("0.0313726")


@pytest.mark.parametrize("literal", ["0", "-1/255", "8", "256/255", "1.0000001", "1e2"])
def test_epsilons_outside_the_input_range_are_refused_with_the_unit(literal):
    with pytest.raises(ValueError, match=r"must be in \(0, 1\] \(input units: 8/255, not 8\)"):
        epsilon_fraction(literal)


@pytest.mark.parametrize("literal", ["", "eight", "1/0", "8/255/2", "nan", "inf", "8 / 255 / 1", "0." + "0" * 40 + "1"])
def test_what_is_no_number_is_refused_with_an_example(literal):
    with pytest.raises(ValueError, match="such as 8/255"):
        epsilon_fraction(literal)


@pytest.mark.parametrize("literal", ["1e999999999", "1e-999999999", "1E-100"])
def test_a_huge_exponent_is_refused_before_it_fills_the_memory(literal):
    with pytest.raises(ValueError, match="exponents of two digits"):
        epsilon_fraction(literal)
