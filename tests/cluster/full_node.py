"""A NodeColocation of the largest node there is: 64 partitions with 8 occupied slots each, as the operator shows it."""

from collections.abc import Mapping

from eclip.api import NodeColocation
from eclip.api.node import MOST_GPUS, MOST_SLOTS, GpuSpec, NodeSpec, PlanSummary, SlotSpec, SlotWorker
from eclip.api.node_status import (
    Counters,
    GpuStatus,
    Health,
    NodeStatus,
    PodRef,
    SlotState,
    SlotStatus,
    mask_text,
    shown,
    summary,
)
from eclip.api.table import summary as groups_summary
from eclip.gpu.topology import Gpu, spread
from eclip_operator.nodes import fitted

NAME = "node-with-64-partitions"


def partition(number: int, compute_units: int = 38) -> Gpu:
    """One of the partitions of an MI300X."""
    return Gpu(
        node=number + 1,
        product="MI300X",
        gfx="gfx942",
        active=spread(compute_units, 1, 4, 1),
        unique_id=0x8F3C2A1B4D5E6F00 + number,
        render_minor=128 + number,
        numa_node=number % 2,
        vram_bytes=24 << 30,
    )


def slot_spec(name: str, allocation: str, text: Mapping[str, str]) -> SlotSpec:
    return SlotSpec(
        slot=name,
        allocation=allocation,
        policy=f"{text['namespace']}/{text['policy']}",
        workload=text["workload"],
        mode="Enforce",
        table="0123456789abcdef0123456789abcdef01234567",
        workers=(SlotWorker(bit=7, solo_micros=12345.6, predicted_slowdown=1.234),),
        groups=groups_summary(f"{kernels}@{cus}" for kernels, cus in [(113, 30), (27, 38)] * 20),
        objective_p95_micros=25000.0,
    )


def slot_status(name: str, allocation: str, text: Mapping[str, str], occupied: int = 1) -> SlotStatus:
    return SlotStatus(
        slot=name,
        allocation=allocation,
        pod=PodRef(namespace=text["namespace"], name=text["pod"], uid="8d3b9c1e-5a57-4d0e-9f57-0c6a1b2d3e4f"),
        container=text["container"],
        state=SlotState.ENFORCED,
        ceiling=mask_text((1 << 29) - 1),
        generation=12345,
        masks=tuple(mask_text((1 << cus) - 1) for cus in (10, 20, 29))[: shown(occupied) - 1] or None,
        counters=Counters(launches=12_345_678_901, requests=123_456_789, hops=1_234_567_890, mismatches=12_345),
        mean_micros=12345.6,
        p95_micros=24999.9,
        kernels_per_second=123456.7,
        hops_per_second=12345.6,
    )


def full_node(text: Mapping[str, str], partitions: int = MOST_GPUS) -> NodeColocation:
    """With names as in `text`."""
    gpus = [partition(number) for number in range(partitions)]
    slots = [
        [(f"{gpu.unique_id:x}-s{slot:02}", f"a{slot:02}b4c5d6e7f8091") for slot in range(MOST_SLOTS)] for gpu in gpus
    ]
    plan = PlanSummary(
        strategy="kernel-groups",
        solved_by="exact",
        objective=8.123456,
        lower_bound=8.01234,
        gap=0.01366,
        solve_millis=812.3,
        streams=21,
    )
    specs = [
        fitted(
            GpuSpec(
                id=f"{gpu.unique_id:x}",
                policy=f"{text['namespace']}/{text['policy']}",
                strategy="kernel-groups",
                plan=plan,
                slots=tuple(slot_spec(name, allocation, text) for name, allocation in names),
            ),
            partitions * MOST_SLOTS,
        )
        for gpu, names in zip(gpus, slots, strict=True)
    ]
    statuses = [
        GpuStatus.of(gpu, shares=MOST_SLOTS, health=Health.HEALTHY).model_copy(
            update={
                "slots": tuple(
                    slot_status(name, allocation, text, partitions * MOST_SLOTS) for name, allocation in names
                )
            }
        )
        for gpu, names in zip(gpus, slots, strict=True)
    ]
    node = NodeColocation.of(NAME, "8d3b9c1e-5a57-4d0e-9f57-0c6a1b2d3e4f")
    status = NodeStatus(observed_generation=1, summary=summary(statuses), gpus=tuple(statuses))
    return node.model_copy(update={"spec": NodeSpec(gpus=tuple(specs)), "status": status})


USUAL = {
    "namespace": "inference-prod",
    "policy": "shared-gpus",
    "workload": "embeddings",
    "pod": "embeddings-v2-7d9c6b5f4d-x2x7k",
    "container": "server",
}
LONGEST = dict.fromkeys(USUAL, "x" * 63)
"""The longest names that controllers make."""
