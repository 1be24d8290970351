"""Flags of the form NAME=VALUE, lists of sizes, and GPUs. Errors name the flag and what would be right."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from eclip.errors import InputError

T = TypeVar("T")


def sizes(flag: str, value: str) -> tuple[int, ...]:
    """Numbers of CUs, such as `15,30,45`, ascending."""
    try:
        numbers = tuple(sorted({int(part) for part in value.split(",")}))
    except ValueError:
        raise InputError(f"{flag} {value}: give numbers of CUs with commas between them, such as 15,30,45") from None
    if numbers[0] < 1:
        raise InputError(f"{flag} {value}: a size is at least 1 CU")
    return numbers


def named(flag: str, values: Iterable[str], parse: Callable[[str], T], form: str) -> dict[str, T]:
    """`NAME=VALUE` flags as a mapping; `form` shows what a value looks like."""
    found: dict[str, T] = {}
    for value in values:
        name, equals, rest = value.partition("=")
        if not name or not equals:
            raise InputError(f"{flag} {value}: give NAME={form}")
        if name in found:
            raise InputError(f"{flag} {value}: {name} is given twice")
        try:
            found[name] = parse(rest)
        except ValueError:
            raise InputError(f"{flag} {value}: '{rest}' is not of the form {form}") from None
    return found


def positive(value: str) -> float:
    """A number above zero."""
    number = float(value)
    if not 0 < number < float("inf"):
        raise ValueError(value)
    return number


def span(value: str) -> tuple[int, int]:
    """`MIN:MAX` in CUs."""
    low, _, high = value.partition(":")
    limits = int(low), int(high)
    if not 0 < limits[0] <= limits[1]:
        raise ValueError(value)
    return limits


def path(value: str) -> Path:
    """A file name that is not empty."""
    if not value:
        raise ValueError(value)
    return Path(value)
