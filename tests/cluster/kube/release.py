"""ECLIP's own images, built from the Dockerfiles that users build them from."""

from pathlib import Path

import yaml

from kube import images
from kube.commands import run

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "eclip"
CONTEXT_WITHIN_S = 1800.0
NAMES = ("operator", "node", "emulator", "workloads")


def version() -> str:
    """Of the chart, which is the images' tag."""
    return str(yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"])


def image(name: str) -> str:
    """The full name of one of NAMES, as the chart's default values spell it."""
    return f"localhost/eclip-{name}:{version()}"


def archive() -> Path:
    """All images as one file that nodes can load, built as far as something changed."""
    run("make", "--no-print-directory", "-C", ROOT, "image-context", within=CONTEXT_WITHIN_S)
    for name in NAMES:
        arguments = {"NODE_IMAGE": image("node")} if name == "emulator" else {}
        images.build(image(name), ROOT / "images" / name / "Dockerfile", ROOT / "build" / "images", **arguments)
    return images.together("release", (images.archive(image(name)) for name in NAMES))
