"""The hand-written CRDs, as the API server will read them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

CRDS = Path(__file__).parents[3] / "crds"


@pytest.fixture(scope="session")
def crds() -> Mapping[str, Any]:
    """All CRDs, by kind."""
    documents = (yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*.yaml")))
    return {document["spec"]["names"]["kind"]: document for document in documents}
