"""Every value has a type, a comment and an effect; everything else is refused."""

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from chart import CHART, EVERYTHING, Objects, Render, helm

VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
FREE = {"nodeConfigs", "requests", "limits", "nodeSelector", "annotations", "labels", "updateStrategy", "profile"}
"""Maps whose keys are the user's."""
Path = tuple[str, ...]


def resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    return SCHEMA["definitions"][reference.rsplit("/", 1)[1]] if reference else schema


def leaves(values: Mapping[str, Any], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value and key not in FREE:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def keys(schema: Mapping[str, Any], path: Path = ()) -> Iterator[Path]:
    """Paths of all closed objects' keys in the schema."""
    for key, below in schema.get("properties", {}).items():
        if resolved(below).get("additionalProperties") is False:
            yield from keys(resolved(below), (*path, key))
        else:
            yield (*path, key)


def test_schema_and_values_have_the_same_keys() -> None:
    given = {path[:-1] if path[-1] in ("requests", "limits") else path for path, _ in leaves(VALUES)}
    known = {path[:-1] if path[-1] in ("requests", "limits", "claims") else path for path in keys(SCHEMA)}

    assert given == known - {("global",)}


def test_every_object_of_the_schema_is_closed_or_the_users() -> None:
    def open_ones(schema: Mapping[str, Any], path: str) -> Iterator[str]:
        if "properties" in schema and schema.get("additionalProperties") is not False:
            yield path
        for key, below in schema.get("properties", {}).items():
            yield from open_ones(below, f"{path}.{key}")

    assert list(open_ones(SCHEMA, "")) == []


def test_every_key_of_the_schema_is_described() -> None:
    def bare(schema: Mapping[str, Any], path: str) -> Iterator[str]:
        for key, below in schema.get("properties", {}).items():
            if "description" not in resolved(below) and "const" not in below and "$ref" not in below:
                yield f"{path}.{key}"
            yield from bare(resolved(below), f"{path}.{key}")

    assert list(bare(SCHEMA, "")) == []


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"opertor": {}}, "Additional property opertor is not allowed"),
        ({"node": {"agent": {"bypassDetecton": True}}}, "Additional property bypassDetecton is not allowed"),
        ({"nodeConfigs": {"default": {"shares": 9}}}, "Must be less than or equal to 8"),
        ({"nodeConfigs": {"default": {"placement": "scatter"}}}, "placement"),
        ({"nodeConfigs": {"No Name": {}}}, "Does not match pattern"),
        ({"kubeletRootDir": "var/lib/kubelet"}, "Does not match pattern"),
        ({"operator": {"image": {"digest": "sha256:123"}}}, "Does not match pattern"),
        ({"emulator": {"gpus": 0}}, "Must be greater than or equal to 1"),
        ({"image": {"pullPolicy": "Sometimes"}}, "pullPolicy"),
        ({"networkPolicy": {"apiServerPorts": []}}, "apiServerPorts"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_values_that_make_no_sense_are_refused(values: dict[str, Any], complaint: str) -> None:
    done = helm("template", "demo", CHART, values=values)

    assert done.returncode != 0
    assert complaint in done.stderr


SPECIAL: dict[str, Any] = {
    "pullPolicy": "Never",
    "logLevel": "debug",
    "interval": "31s",
    "share": "example.com/share",
    "wholeGPU": "example.com/gpu",
    "nodeConfigs": {"default": {"shares": 7}},
    "extraEnv": [{"name": "OTHER", "value": "1"}],
    "apiServerCIDRs": ["192.0.2.7/32"],
    "apiServerPorts": [8443],
    "profile": {"sizes": [17, 60]},
}
"""Where another value cannot be made of the path alone."""
NOT_TOGETHER = {"digest", "repository", "tag", "registry"}
"""Parts of the name of an image, of which a digest hides another one."""
Changes = dict[Path, tuple[Any, str]]


def other(path: Path, value: Any) -> tuple[Any, str]:
    """Another value, and what of it is to be seen in the objects."""
    key, mark = path[-1], "-".join(path).lower()[:40]
    if key in SPECIAL:
        return SPECIAL[key], SPECIAL[key] if key in ("interval", "share", "wholeGPU") else ""
    match value:
        case bool():
            return not value, ""
        case int() | float():
            return value + 6, ""
        case str():
            return f"/{mark}" if key.endswith("Dir") else mark, mark
        case list():
            items = {"tolerations": {"key": mark}, "metricsFrom": {"name": mark}, "imagePullSecrets": {"name": mark}}
            return [items.get(key, mark)], mark
    return {mark: mark}, mark


def changed(paths: list[Path]) -> tuple[dict[str, Any], dict[Path, str]]:
    """The values with all of these changed, and what has to be seen of each."""
    values, defaults, marks = copy.deepcopy(EVERYTHING), dict(leaves(VALUES)), {}
    for path in paths:
        place: dict[str, Any] = values
        for key in path[:-1]:
            place = place.setdefault(key, {})
        place[path[-1]], marks[path] = other(path, defaults[path])
    return values, marks


TEXTS = [path for path, value in leaves(VALUES) if other(path, value)[1] and path[-1] not in NOT_TOGETHER]
REST = [path for path, value in leaves(VALUES) if path not in TEXTS and path[-1] not in NOT_TOGETHER]


def test_what_is_written_into_values_is_found_in_the_objects(render: Render, everything: Objects) -> None:
    values, marks = changed(TEXTS)
    text, before = json.dumps(render(values)), json.dumps(everything)

    assert len(TEXTS) > 30
    assert [path for path, mark in marks.items() if mark not in text or mark in before] == []


@pytest.mark.parametrize("path", REST, ids=".".join)
def test_every_other_value_has_an_effect(path: Path, render: Render, everything: Objects) -> None:
    values, _ = changed([path])
    if path[-1] in ("enabled", "virtualTime"):
        # Switched on already in what we compare with.
        place: dict[str, Any] = values
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = False

    assert render(values) != everything
