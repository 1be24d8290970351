"""Writes what follows from the CRDs and from the chart: docs/kubernetes/fields.md, docs/kubernetes/values.md, and the
chart's copy of the CRDs. With --check it writes nothing and fails if one of them is not what its source gives.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

CRDS, CHART, DOCS = Path("crds"), Path("charts/eclip"), Path("docs/kubernetes")
KINDS = ("colocationpolicies", "kernelprofiles", "nodecolocations", "lookuptables")
OPEN = {"nodeConfigs", "nodeSelector", "requests", "limits", "annotations", "labels", "updateStrategy", "profile"}
"""Maps of the values whose keys are the user's."""
Schema = Mapping[str, Any]


def fields_page() -> str:
    """One table a kind."""
    lines = [
        "# Fields of the kinds",
        "",
        "Made from `crds/` by `make gen`; `kubectl explain KIND.FIELD` says the same. `[]` is a list, `{}` a map. A",
        "bold field has to be given.",
    ]
    for plural in KINDS:
        spec = yaml.safe_load((CRDS / f"{plural}.eclip.dev.yaml").read_text())["spec"]
        schema = spec["versions"][0]["schema"]["openAPIV3Schema"]
        names = f"`{plural}`, short `{spec['names']['shortNames'][0]}`, {spec['scope'].lower()}"
        lines += ["", f"## {spec['names']['kind']}", "", f"{schema['description']} ({names})"]
        for part in ("spec", "status"):
            if part in schema["properties"]:
                lines += ["", f"| `{part}` | type | meaning |", "| --- | --- | --- |"]
                lines += (_row(*field) for field in _fields(schema["properties"][part], ""))
        if rules := list(dict.fromkeys(_rules(schema))):
            lines += ["", "Refused at apply:", "", *(f"- {rule}" for rule in rules)]
    return "\n".join(lines) + "\n"


def _fields(schema: Schema, path: str) -> Iterator[tuple[str, bool, Schema]]:
    for name, below in schema.get("properties", {}).items():
        required = name in schema.get("required", ())
        inner, place = below, f"{path}.{name}".lstrip(".")
        yield place, required, below
        while inner["type"] == "array":
            inner, place = inner["items"], f"{place}[]"
        yield from _fields(inner, place)


def _row(path: str, required: bool, schema: Schema) -> str:
    name = f"**`{path}`**" if required else f"`{path}`"
    return f"| {name} | {_type(schema)} | {_cell(schema.get('description', ''))} |"


def _type(schema: Schema) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema["type"] == "array":
        return f"{_type(schema['items'])} `[]`"
    if isinstance(schema.get("additionalProperties"), Mapping):
        return f"{_type(schema['additionalProperties'])} `{{}}`"
    return str(schema["type"])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("{}", "`{}`")


def _rules(schema: Schema) -> Iterator[str]:
    yield from (rule["message"] for rule in schema.get("x-kubernetes-validations", ()))
    for below in schema.get("properties", {}).values():
        yield from _rules(below)
    if isinstance(schema.get("items"), Mapping):
        yield from _rules(schema["items"])


def values_page() -> str:
    """All values of the chart, and the fields of a node config."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    lines = [
        "# Values of the chart",
        "",
        "Made from `charts/eclip` by `make gen`. A key that is not here is refused.",
        "",
        "| value | default | meaning |",
        "| --- | --- | --- |",
        *(
            f"| `{path}` | `{json.dumps(value)}` | {_cell(text)} |"
            for path, value, text in _values(values, schema, schema)
        ),
        "",
        "## Node configs",
        "",
        "`nodeConfigs` has one entry a name. A Node takes the one that its label `eclip.dev/node-config` names, all",
        "others take `default`. A change reaches the nodes within kubelet's time for ConfigMaps (about a minute) and",
        "restarts nothing: a share in use stays until it is free, a config that cannot be read keeps the last good one",
        "in force and says so in condition ConfigValid.",
        "",
        "| field | meaning |",
        "| --- | --- |",
        *_config_rows(schema["definitions"]["nodeConfig"], ""),
        *_config_rows(schema["definitions"]["gpuEntry"], "gpus[]."),
    ]
    return "\n".join(lines) + "\n"


def _values(values: Mapping[str, Any], schema: Schema, root: Schema, path: str = "") -> Iterator[tuple[str, Any, str]]:
    for key, value in values.items():
        below = schema["properties"][key]
        below = {**root["definitions"].get(below.get("$ref", "").rsplit("/", 1)[-1], {}), **below}
        place = f"{path}.{key}".lstrip(".")
        if isinstance(value, Mapping) and value and key not in OPEN:
            yield from _values(value, below, root, place)
        else:
            yield place, value, below["description"]


def _config_rows(schema: Schema, path: str) -> Iterator[str]:
    for name, below in schema["properties"].items():
        if "description" in below:
            yield f"| `{path}{name}` | {_cell(below['description'])} |"


def main() -> int:
    """Exit status 1 if something is not current and was not to be written."""
    made = {DOCS / "fields.md": fields_page(), DOCS / "values.md": values_page()}
    made |= {CHART / "files" / "crds" / path.name: path.read_text() for path in CRDS.glob("*.yaml")}
    stale = [path for path, text in made.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            sys.stderr.write(f"{path} is not what crds/ and charts/eclip give: make gen\n")
        return 1 if stale else 0
    for path in stale:
        path.write_text(made[path])
    return 0


if __name__ == "__main__":
    sys.exit(main())
