"""Labels of a Node: what its GPUs are, and how many shares they offer. Pure."""

import re
from collections.abc import Iterable

from eclip.api import names
from eclip_operator.inputs import KubeNode, NodeReport

LONGEST = 63


def wanted(report: NodeReport | None) -> dict[str, str]:
    """The labels that a node should have of us; none without GPUs. Unlike GPUs are told one after another."""
    if report is None or not report.gpus:
        return {}
    return {
        names.LABEL_PRODUCT: _joined(gpu.product for gpu in report.gpus),
        names.LABEL_COMPUTE_UNITS: _joined(f"{gpu.compute_units}" for gpu in report.gpus),
        names.LABEL_SHARES: str(sum(gpu.shares for gpu in report.gpus)),
    }


def present(node: KubeNode) -> dict[str, str]:
    """The labels that a node has of us."""
    return {key: value for key, value in node.labels if key in names.NODE_LABELS}


def _joined(texts: Iterable[str]) -> str:
    """As a label may be written: `RX 7900 XTX` is `RX-7900-XTX`."""
    text = "_".join(sorted({re.sub(r"[^A-Za-z0-9.-]+", "-", text) for text in texts}))
    return text[:LONGEST].strip("-_.")
