"""What a node's agent reports of a GPU, for tests that play it."""

from typing import Any

from eclip.api.node_status import GpuStatus, Health
from eclip.gpu import products


def gpu_status(identity: str, slots: list[dict[str, Any]], product: str = "MI50") -> dict[str, Any]:
    """A healthy GPU with four shares, and who is in them."""
    status = GpuStatus.of(products.gpu_for(product), shares=4, health=Health.HEALTHY)
    return {**status.model_dump(mode="json", by_alias=True, exclude_none=True), "id": identity, "slots": slots}
