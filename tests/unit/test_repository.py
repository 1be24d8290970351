"""What no file of the repository may hold."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINKED = {"keepachangelog.com", "semver.org", "ui.perfetto.dev", "www.apache.org", "www.w3.org", "json-schema.org"}
"""Hosts that the documents may send a reader to, and names of XML spaces and JSON dialects."""
INSIDE = {"127.0.0.1", "kubernetes.default.svc"}
"""Hosts that are this one, or that only a cluster knows."""
CONDITIONAL = {
    "tests/e2e/emulator/test_visible.py": "containers may forbid mount namespaces",
    "tests/e2e/host/test_hardship.py": "only root may mount, and not in every container",
}
"""Tests that a host may be unfit for, and why; everything else that tests need is installed by make."""
PACKAGE_SOURCES = [
    "/etc/apt/sources.list",
    "/etc/apt/sources.list.d/*",
    "/etc/pip.conf",
    str(Path.home() / ".config/pip/pip.conf").lstrip("/"),
]


def texts() -> dict[str, str]:
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    paths = [path for name in os.fsdecode(listed).split("\0") if name and (path := ROOT / name).is_file()]
    return {str(path.relative_to(ROOT)): path.read_text(errors="replace") for path in paths}


TEXTS = texts()


def places(pattern: str, *, flags: int = 0) -> list[str]:
    """`file: what was found` for every match outside this file."""
    own = str(Path(__file__).relative_to(ROOT))
    return [
        f"{name}: {found[0]}"
        for name, text in TEXTS.items()
        if name != own
        for found in re.finditer(pattern, text, flags)
    ]


def hosts_of_this_machine() -> set[str]:
    """Where this machine gets its packages: hosts in the settings of apt and pip."""
    files = [path for place in PACKAGE_SOURCES for path in Path("/").glob(place.lstrip("/")) if path.is_file()]
    settings = [path.read_text(errors="replace") for path in files]
    settings += [
        value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_")) or "proxy" in name.lower()
    ]
    hosts = {host for text in settings for host in re.findall(r"https?://(?:[^@/\s]*@)?([\w.-]+)", text)}
    return hosts - LINKED - INSIDE - {"localhost"}


def test_the_listing_sees_the_sources() -> None:
    assert {"Makefile", "pyproject.toml", "core/eclip/plan.py", "native/include/eclip/slot.h"} <= set(TEXTS)


def test_no_file_names_a_folder_of_the_machine_it_was_written_on() -> None:
    assert places(r"(?<![\w.$})/-])/(?:work|home|root|Users)/[\w.-]*") == []


def test_no_file_names_where_this_repository_lies() -> None:
    if len(ROOT.parts) > 2:  # a short one, such as /eclip, is a part of many honest names
        assert places(rf"{re.escape(str(ROOT))}\b") == []


def test_no_file_names_a_host_that_packages_come_from() -> None:
    assert [place for host in hosts_of_this_machine() for place in places(rf"(?<![\w.-]){re.escape(host)}")] == []


def test_links_lead_to_known_hosts() -> None:
    assert {found for found in places(r"https?://[\w.-]+") if found.split("//")[1] not in LINKED | INSIDE} == set()


def test_nothing_is_left_to_do() -> None:
    assert places(r"\b(?:TODO|FIXME|XXX|HACK)\b") == []


def test_tests_run_everywhere_but_where_a_reason_is_given() -> None:
    found = {
        place.split(":")[0] for place in places(r"\bpytest\.(?:skip|mark\.skip|mark\.xfail|xfail|importorskip)\w*")
    }

    assert found == set(CONDITIONAL)


@pytest.mark.parametrize(
    "name", [name for name in TEXTS if name.startswith(("tools/", ".ci/")) and "." not in Path(name).name]
)
def test_scripts_can_be_run(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK)
    assert TEXTS[name].startswith("#!/")
