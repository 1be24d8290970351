"""The kinds of the Kubernetes API, `eclip.dev/v1alpha1`, as the operator and the agents read and write them. Pure.

`crds/` has the same kinds as schemas; tests/unit/api holds the two against each other. `Object.read` makes a kind of
what the API server gave, `Part.wire` makes what it takes.
"""

from eclip.api.node import NodeColocation
from eclip.api.policy import ColocationPolicy
from eclip.api.profile import KernelProfile
from eclip.api.table import LookupTable

__all__ = ["KINDS", "ColocationPolicy", "KernelProfile", "LookupTable", "NodeColocation"]

KINDS = (ColocationPolicy, KernelProfile, NodeColocation, LookupTable)
