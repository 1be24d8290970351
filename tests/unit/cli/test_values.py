"""Flags are parsed strictly, and the error names the flag and its form."""

import pytest

from eclip.cli import values
from eclip.errors import InputError


def test_sizes_are_sorted_and_distinct():
    assert values.sizes("--sizes", "45,15,30,15") == (15, 30, 45)


@pytest.mark.parametrize("bad", ["", "a", "15,,30", "0,15", "-15", "1.5"])
def test_a_list_that_is_no_list_of_sizes_is_refused(bad):
    with pytest.raises(InputError, match=r"--sizes"):
        values.sizes("--sizes", bad)


def test_named_values():
    assert values.named("--weight", ["a=2", "b=0.5"], values.positive, "W") == {"a": 2.0, "b": 0.5}
    assert values.named("--limit", ["a=15:45"], values.span, "MIN:MAX") == {"a": (15, 45)}


def test_a_value_without_a_name_is_refused():
    with pytest.raises(InputError, match="--weight 2: give NAME=W"):
        values.named("--weight", ["2"], values.positive, "W")


@pytest.mark.parametrize(
    ("given", "parse"),
    [
        (["=2"], values.positive),
        (["a="], values.positive),
        (["a=0"], values.positive),
        (["a=nan"], values.positive),
        (["a=inf"], values.positive),
        (["a=1", "a=2"], values.positive),
        (["a=45:15"], values.span),
        (["a=15"], values.span),
        (["a=0:15"], values.span),
        (["a="], values.path),
    ],
)
def test_a_named_value_that_is_none_is_refused_with_its_flag(given, parse):
    with pytest.raises(InputError, match=r"^--flag a?="):
        values.named("--flag", given, parse, "FORM")
