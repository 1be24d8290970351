"""The types of the API and the hand-written CRDs say the same."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from eclip import api

LIMITS = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "maxProperties", "pattern")
BY_USERS = {"ColocationPolicy.spec", "KernelProfile.spec"}
"""Written by people: a schema may be stricter than the type, since it can say more."""
Facts = dict[str, Any]


def part(kind: type[api.ColocationPolicy] | Any) -> list[str]:
    return [name for name in ("spec", "status") if name in kind.model_fields]


PARTS = [(kind, name) for kind in api.KINDS for name in part(kind)]


def resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> dict[str, Any]:
    """Without references, nullable unions and the three ways in which pydantic says what OpenAPI says in one."""
    schema = dict(schema)
    if "$ref" in schema:
        schema |= root["$defs"][schema.pop("$ref").rsplit("/", 1)[1]]
    if "anyOf" in schema:
        choices = [choice for choice in schema.pop("anyOf") if choice.get("type") != "null"]
        assert len(choices) == 1, schema
        return resolved(schema | choices[0], root)
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    if schema.get("exclusiveMinimum", True) is not True:
        schema |= {"minimum": schema["exclusiveMinimum"], "exclusiveMinimum": True}
    if "prefixItems" in schema:
        first, *others = schema.pop("prefixItems")
        assert all(other == first for other in others)
        schema["items"] = first
    return schema


def facts(schema: Mapping[str, Any], root: Mapping[str, Any], path: str) -> Iterator[tuple[str, Facts]]:
    """What a schema says of every field below it, by path."""
    schema = resolved(schema, root)
    yield (
        path,
        {
            "type": schema["type"],
            "required": sorted(schema.get("required", [])),
            "enum": sorted(schema.get("enum", [])),
            "default": schema.get("default"),
            "limits": {name: schema[name] for name in (*LIMITS, "exclusiveMinimum") if name in schema},
        },
    )
    for name, below in schema.get("properties", {}).items():
        yield from facts(below, root, f"{path}.{name}")
    if "items" in schema:
        yield from facts(schema["items"], root, f"{path}[]")
    if isinstance(schema.get("additionalProperties"), Mapping):
        yield from facts(schema["additionalProperties"], root, f"{path}{{}}")


def of_type(kind: Any, name: str) -> dict[str, Facts]:
    root = kind.model_json_schema(by_alias=True, mode="validation")
    return dict(facts(root["properties"][name], root, f"{kind.__name__}.{name}"))


def of_crd(crds: Mapping[str, Any], kind: Any, name: str) -> dict[str, Facts]:
    schema = crds[kind.__name__]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return dict(facts(schema["properties"][name], schema, f"{kind.__name__}.{name}"))


def nothing(default: object) -> bool:
    """A default that need not be written: the same as leaving the field out."""
    return default is None or default in ([], {}, "", 0, False)


@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_a_type_and_its_schema_have_the_same_fields(kind: Any, name: str, crds: Mapping[str, Any]) -> None:
    assert set(of_type(kind, name)) == set(of_crd(crds, kind, name))


@pytest.mark.parametrize("fact", ["type", "required", "enum"])
@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_a_type_and_its_schema_agree(kind: Any, name: str, fact: str, crds: Mapping[str, Any]) -> None:
    typed, schema = of_type(kind, name), of_crd(crds, kind, name)

    assert {path: typed[path][fact] for path in typed} == {path: schema[path][fact] for path in typed}


@pytest.mark.parametrize(("kind", "name"), [pair for pair in PARTS if pair[1] == "spec"])
def test_defaults_of_a_spec_are_the_types(kind: Any, name: str, crds: Mapping[str, Any]) -> None:
    typed, schema = of_type(kind, name), of_crd(crds, kind, name)
    wanted = {path: fact["default"] for path, fact in typed.items() if fact["type"] not in ("object", "array")}
    written = {path: schema[path]["default"] for path in wanted}

    assert {path: default for path, default in wanted.items() if not nothing(default)} == {
        path: default for path, default in written.items() if not nothing(default)
    }


@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_what_a_schema_lets_in_the_type_takes(kind: Any, name: str, crds: Mapping[str, Any]) -> None:
    typed, schema = of_type(kind, name), of_crd(crds, kind, name)
    loose = {
        path: {limit: value for limit, value in fact["limits"].items() if schema[path]["limits"].get(limit) != value}
        for path, fact in typed.items()
    }

    # What one regular expression says here, a rule with a message for people says there.
    assert {path: limits for path, limits in loose.items() if set(limits) - {"pattern"}} == {}
    if f"{kind.__name__}.{name}" not in BY_USERS:
        assert {path: limits for path, limits in loose.items() if limits} == {}


@pytest.mark.parametrize(("kind", "name"), [pair for pair in PARTS if f"{pair[0].__name__}.{pair[1]}" not in BY_USERS])
def test_what_we_write_ourselves_a_schema_does_not_refuse(kind: Any, name: str, crds: Mapping[str, Any]) -> None:
    typed, schema = of_type(kind, name), of_crd(crds, kind, name)

    assert {path: schema[path]["limits"] for path in typed} == {path: typed[path]["limits"] for path in typed}


def test_there_is_one_crd_a_kind(crds: Mapping[str, Any]) -> None:
    assert set(crds) == {kind.__name__ for kind in api.KINDS}


def test_the_schemas_of_a_condition_are_the_same(crds: Mapping[str, Any]) -> None:
    schemas = (
        crds[kind]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for kind in ("ColocationPolicy", "NodeColocation")
    )
    policy, node = (schema["properties"]["status"]["properties"]["conditions"]["items"] for schema in schemas)

    assert policy == node


def described(schema: Mapping[str, Any], path: str) -> Iterator[str]:
    """Paths of fields without a description. An item that is a plain value is described by its list."""
    for name, below in schema.get("properties", {}).items():
        if not below.get("description") and (path, name) != ("", "metadata"):
            yield f"{path}.{name}"
        yield from described(below, f"{path}.{name}")
    if "properties" in schema.get("items", {}):
        yield from () if schema["items"].get("description") else (f"{path}[]",)
        yield from described(schema["items"], f"{path}[]")


@pytest.mark.parametrize("kind", [kind.__name__ for kind in api.KINDS])
def test_every_field_is_described(kind: str, crds: Mapping[str, Any]) -> None:
    schema = crds[kind]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]

    assert schema["description"]
    assert list(described(schema, "")) == []


def with_defaults(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, object, str]]:
    for name, below in schema.get("properties", {}).items():
        if below.get("default") not in (None, {}):
            yield f"{path}.{name}", below["default"], below["description"]
        yield from with_defaults(below, f"{path}.{name}")
    if "items" in schema:
        yield from with_defaults(schema["items"], f"{path}[]")


@pytest.mark.parametrize("kind", [kind.__name__ for kind in api.KINDS])
def test_every_default_is_in_the_description(kind: str, crds: Mapping[str, Any]) -> None:
    schema = crds[kind]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    untold = [path for path, default, text in with_defaults(schema, "") if f"Default {default}" not in text]

    assert untold == []


def bounded(schema: Mapping[str, Any], path: str) -> Iterator[str]:
    """Paths of lists and texts of any size: such cannot be held to a budget, and rules on them cost too much."""
    short = "enum" in schema or "format" in schema or "pattern" in schema or "maxLength" in schema
    if (schema["type"] == "string" and not short) or (schema["type"] == "array" and "maxItems" not in schema):
        yield path
    for name, below in schema.get("properties", {}).items():
        yield from bounded(below, f"{path}.{name}")
    if "items" in schema:
        yield from bounded(schema["items"], f"{path}[]")


@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_every_text_and_list_is_bounded(kind: Any, name: str, crds: Mapping[str, Any]) -> None:
    schema = crds[kind.__name__]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]

    assert list(bounded(schema["properties"][name], name)) == []
