"""The cluster that tests run on: the one that KUBECONFIG names, or two nodes of our own, which end with the tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kube import release
from kube.access import Access
from kube.cluster import Cluster, find, up
from kube.installation import Installation
from kube.sharing import Sharing
from kube.sharing import sharing as shared_gpu


@pytest.fixture(scope="session")
def access(request: pytest.FixtureRequest) -> Access:
    """Any cluster, as the user who may do everything."""
    given = os.environ.get("KUBECONFIG")
    if given:
        return Access(Path(given))
    return request.getfixturevalue("cluster").access


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster of ours, whose machines can be entered and harmed. Left running if KUBECONFIG named it."""
    given = os.environ.get("KUBECONFIG")
    if given:
        known = find(Path(given))
        assert known is not None, "pytest_collection_modifyitems leaves out tests that need a cluster of ours"
        yield known
        return
    ours = up(owner=os.getpid())
    try:
        yield ours
    finally:
        ours.down()


@pytest.fixture(scope="session")
def installation(request: pytest.FixtureRequest, access: Access) -> Installation:
    """ECLIP with emulated GPUs on all nodes. On a cluster of ours its images are built and loaded; elsewhere they are
    in the registry that ECLIP_REGISTRY names."""
    known = find(access.kubeconfig)
    if known is not None:
        known.load(release.archive())
    made = Installation(access)
    made.install()
    return made


@pytest.fixture
def sharing(installation: Installation) -> Iterator[Sharing]:
    """Three programs on one GPU, enforced."""
    with shared_gpu(installation) as shared:
        yield shared


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On a cluster that is not ours, tests that enter or harm its machines are left out."""
    given = os.environ.get("KUBECONFIG")
    if not given or find(Path(given)) is not None:
        return
    ours = [item for item in items if "cluster" in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=ours)
    items[:] = [item for item in items if item not in ours]
