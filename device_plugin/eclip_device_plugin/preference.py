"""Which shares kubelet is advised to take for one container's request. Advice: kubelet may do otherwise. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence

from eclip_device_plugin.node_config import Placement
from eclip_device_plugin.shares import gpu_of


def preferred(
    available: Sequence[str],
    required: Sequence[str],
    size: int,
    *,
    placement: Placement,
    same_gpu: bool,
    offered: Iterable[str],
) -> tuple[str, ...]:
    """`size` of the available device ids, the required ones among them.

    `spread` takes from the GPU with most shares free, `pack` from the one with fewest. Unless `same_gpu`, a GPU that
    the request has a share of already comes last.
    """
    free = set(available) - set(required)
    shares_of = Counter(gpu_of(device) for device in offered)
    taken = Counter(gpu_of(device) for device in required)
    chosen = list(required)
    while len(chosen) < size and free:
        left = Counter(gpu_of(device) for device in free)

        def rank(device: str, left: Counter[str] = left) -> tuple[int, int, str]:
            gpu = gpu_of(device)
            again = 0 if same_gpu else taken[gpu]
            used = shares_of[gpu] - left[gpu]
            return again, -used if placement == "pack" else used - shares_of[gpu], device

        device = min(free, key=rank)
        free.discard(device)
        taken[gpu_of(device)] += 1
        chosen.append(device)
    return tuple(chosen[:size])
