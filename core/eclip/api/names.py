"""Every name that we put into a cluster: group, resource, labels, annotations, field managers, folders of a node."""

from typing import Final

GROUP: Final = "eclip.dev"
VERSION: Final = "v1alpha1"

GPU_SHARE: Final = "eclip.dev/gpu-share"
"""What a container asks for, unless node config names the resource differently."""

LABEL_PRODUCT: Final = "eclip.dev/gpu.product"
LABEL_COMPUTE_UNITS: Final = "eclip.dev/gpu.compute-units"
LABEL_SHARES: Final = "eclip.dev/gpu.shares"
NODE_LABELS: Final = (LABEL_PRODUCT, LABEL_COMPUTE_UNITS, LABEL_SHARES)
"""Set on a Node by the operator, and removed with the GPU."""
LABEL_NODE_CONFIG: Final = "eclip.dev/node-config"
"""Set on a Node by an administrator: the name of its node config."""

LABEL_PROFILE: Final = "eclip.dev/profile"
"""Set on a pod beside the annotation, whatever its value: the operator watches only the pods that have it."""
ANNOTATION_PROFILE: Final = "eclip.dev/profile"
"""Set on a pod by its owner: the operator puts the pod's slot in profile mode while it is there. `exclusive` is refused
while another pod is busy on that GPU, `shared` is not."""

OPERATOR: Final = "eclip-operator"
AGENT: Final = "eclip-agent"
"""Field managers of server-side apply."""

STATE_ROOT: Final = "/var/lib/eclip"
NODE_CONFIGS: Final = "/etc/eclip/node-configs"
"""Where the ConfigMap of node configs is mounted: one `<name>.yaml` each."""
DEFAULT_NODE_CONFIG: Final = "default"
CONTAINER_LIBRARY: Final = "/usr/local/lib/eclip/libeclip_hip.so"
CONTAINER_SLOT: Final = "/run/eclip/slot"
"""Where a pod finds the library and its slot."""
