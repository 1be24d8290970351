"""What the device plugin and the agent of a node leave for each other under the state root. Pure.

node-config                          name of the node config, by the agent
plugin.json                          what the plugin offers and why, see `report`
slots/<slot>/<allocation>/record.json   an allocation that is complete, see `record`
"""

from typing import Final

NODE_CONFIG: Final = "node-config"
REPORT: Final = "plugin.json"
RECORD: Final = "record.json"
LIBRARY: Final = "libeclip_hip.so"
"""Below `lib/<version>/`."""
