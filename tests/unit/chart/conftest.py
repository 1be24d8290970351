"""The chart as Helm renders it."""

import pytest

from chart import EVERYTHING, Objects, Render, rendered


@pytest.fixture(scope="session")
def render() -> Render:
    """Objects of the chart with given values."""
    return rendered


@pytest.fixture(scope="session")
def everything(render: Render) -> Objects:
    """With every option switched on."""
    return render(EVERYTHING)
