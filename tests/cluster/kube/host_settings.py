"""How this host reaches Python packages, for builds of images to see and images not to hold."""

import ast
import re
import sys
from pathlib import Path

from kube.commands import run

CERTIFICATES = "/run/certificates-of-the-host.crt"
_PASSED_ON = {"index-url", "extra-index-url", "trusted-host", "timeout", "default-timeout", "retries", "cert"}
_LINE = re.compile(r"[\w:-]+\.(?P<key>[\w-]+)=(?P<value>.+)")


def mounts(folder: Path) -> list[str]:
    """buildah's options that show a build the host's settings of pip; `folder` keeps their copy for as long."""
    settings = dict(_settings())
    options = []
    if authorities := settings.get("cert"):
        options += ["-v", f"{authorities}:{CERTIFICATES}:ro"]
        settings["cert"] = CERTIFICATES
    lines = "".join(f"{key} = {value}\n" for key, value in settings.items())
    (folder / "pip.conf").write_text(f"[global]\n{lines}")
    return [*options, "-v", f"{folder / 'pip.conf'}:/etc/pip.conf:ro"]


def _settings() -> list[tuple[str, str]]:
    listed = run(sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list")
    found = [match for line in listed.splitlines() if (match := _LINE.fullmatch(line))]
    return [(one["key"], str(ast.literal_eval(one["value"]))) for one in found if one["key"] in _PASSED_ON]
