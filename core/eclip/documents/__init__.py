"""Documents that people write: YAML in, validated objects out, errors with file, line and field. Knows no kind itself.

A kind is a subclass of `Document`; its fields are named as in the file (camelCase) through aliases. Validation is
strict: no number is made of a string, an unknown field is an error with a suggestion.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError

from eclip.errors import InputError

API_VERSION = "eclip.dev/v1alpha1"
LARGEST_DOCUMENT = 64 << 20
"""Bytes. A profile of 100,000 kernels has 10 MB."""

Location = tuple[int | str, ...]
"""Path of a field: names and list indices."""


class Part(BaseModel):
    """A mapping inside a document: only fields that it declares, no conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _only_known_fields(cls, data: object) -> object:
        if isinstance(data, Mapping):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for key in data:
                if key not in known:
                    raise PydanticCustomError("unknown_field", "{hint}", {"field": key, "hint": _hint(key, known)})
        return data


class Document(Part):
    """A whole document. Subclasses narrow `kind`."""

    api_version: Literal["eclip.dev/v1alpha1"]
    kind: str


class Metadata(Part):
    """Name of a document, as Kubernetes would take it."""

    name: str

    @model_validator(mode="after")
    def _name_is_usable(self) -> "Metadata":
        if fault := name_fault(self.name):
            reject(("name",), fault)
        return self


_D = TypeVar("_D", bound=Document)


def read(path: Path) -> str:
    """The text of a file that a person named.

    Raises:
        InputError: there is no such file, it is too large, or it is not text.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_DOCUMENT:
            raise InputError(f"{path}: {size} bytes are too many for a document, at most {LARGEST_DOCUMENT} are read")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text (byte {error.start}); a YAML document is") from error


def parse(kind: type[_D], text: str, source: str) -> _D:
    """One document of the given kind.

    Args:
        source: what errors call the document, usually its path.

    Raises:
        InputError: `source:line: field: what is wrong; what would be right`.
    """
    root, data = _load(text, source)
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        _complain(error, root, source)


def reject(where: Location, message: str) -> NoReturn:
    """Called by validators of a kind: `where` is the path of the culprit below the object that validates."""
    raise PydanticCustomError("rejected", "{message}", {"message": message, "where": where})


def name_fault(name: str) -> str | None:
    """Why this text could not be the name of a folder and of a Kubernetes object; None if it could."""
    allowed = set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    if name and len(name) <= 63 and set(name) <= allowed and name[0].isalnum() and name[-1].isalnum():
        return None
    return f"{name!r} is no name; use up to 63 of a-z, 0-9, '-' and '.', the ends being letters or digits"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Lists become tuples, so that documents can be frozen and strictly typed."""


_Loader.add_constructor("tag:yaml.org,2002:seq", lambda loader, node: tuple(loader.construct_sequence(node, deep=True)))
# YAML takes the kind of stream `Null` for nothing at all; nothing is spelled `null` or `~` here.
_Loader.add_constructor("tag:yaml.org,2002:null", lambda _, node: "Null" if node.value == "Null" else None)
# A date is of no use to us, and a name such as 2024-05-01 should stay a name.
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node))


def _load(text: str, source: str) -> tuple[yaml.Node, object]:
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            if root is None:
                raise InputError(f"{source}: is empty; a document starts with 'apiVersion: {API_VERSION}'")
            _reject_duplicates(root, source, set())
            return root, loader.construct_document(root)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = f"{error.problem_mark.line + 1}: " if error.problem_mark else " "
        raise InputError(f"{source}:{line}is no YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"{source}: is no YAML: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise InputError(f"{source}: is nested too deeply for a document") from error


def _reject_duplicates(node: yaml.Node, source: str, seen: set[int]) -> None:
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _reject_duplicates(child, source, seen)
    elif isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in keys:
                    raise InputError(f"{source}:{key.start_mark.line + 1}: {key.value}: is given twice; keep one")
                keys.add(key.value)
            _reject_duplicates(value, source, seen)


def _hint(key: object, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(key), known, n=1)
    better = f"did you mean {near[0]!r}?" if near else f"fields are {', '.join(known)}"
    return f"is no field here; {better}"


def faults(error: ValidationError) -> dict[Location, str]:
    """What is wrong, by the path of the culprit: `field: what is wrong; what would be right`."""
    found = {_location(detail): _message(detail) for detail in reversed(error.errors(include_url=False))}
    # A list that lost its bad items is reported as too short as well.
    culprits = [loc for loc in found if not any(other[: len(loc)] == loc for other in found if other != loc)]
    return {loc: f"{_path(loc)}{found[loc]}" for loc in culprits}


def _complain(error: ValidationError, root: yaml.Node, source: str) -> NoReturn:
    found = faults(error)
    loc = min(found, key=lambda loc: _line(root, loc))
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    raise InputError(f"{source}:{_line(root, loc)}: {found[loc]}{more}") from error


def _location(detail: ErrorDetails) -> Location:
    context: Mapping[str, Any] = detail.get("ctx", {})
    loc = tuple(part for part in detail["loc"] if part != "[key]")
    if detail["type"] == "unknown_field":
        return (*loc, str(context["field"]))
    return (*loc, *context.get("where", ()))


def _line(root: yaml.Node, loc: Location) -> int:
    """Line of the deepest node on the way to `loc` that exists: a missing field is reported where it should be."""
    node, line = root, root.start_mark.line
    for part in loc:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
        elif isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(part)]
            if not found:
                break
            line, node = found[0][0].start_mark.line, found[0][1]
        else:
            break
    return int(line) + 1


def _path(loc: Location) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")
    return f"{text}: " if text else ""


def _expected(what: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda _: f"should be {what}"


_WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": lambda _: "is missing",
    "literal_error": lambda context: f"should be {context['expected']}",
    "enum": lambda context: f"should be {context['expected']}",
    "tuple_type": _expected("a list, like [1, 2]"),
    "dict_type": _expected("a mapping, like {key: value}"),
    "model_type": _expected("a mapping, like {key: value}"),
    "model_attributes_type": _expected("a mapping, like {key: value}"),
    "string_type": _expected("text; put quotes around numbers, dates and words like 'no'"),
    "int_type": _expected("a whole number"),
    "float_type": _expected("a number"),
    "finite_number": _expected("a finite number"),
    "bool_type": _expected("true or false"),
    "greater_than": lambda context: f"should be greater than {context['gt']:g}",
    "greater_than_equal": lambda context: f"should be at least {context['ge']:g}",
    "less_than_equal": lambda context: f"should be at most {context['le']:g}",
    "less_than": lambda context: f"should be less than {context['lt']:g}",
    "too_short": lambda context: f"should have at least {context['min_length']} items",
    "too_long": lambda context: f"should have at most {context['max_length']} items",
    "string_too_short": _expected("text that is not empty"),
}


def _message(detail: ErrorDetails) -> str:
    words = _WORDS.get(detail["type"])
    message = words(detail.get("ctx", {})) if words else detail["msg"]
    value = detail["input"]
    if words and detail["type"] != "missing" and isinstance(value, str | int | float):
        shown = repr(value)
        return f"is {shown if len(shown) <= 60 else shown[:57] + '...'}; {message}"
    return message
