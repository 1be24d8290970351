"""`python -m eclip_node_agent`."""

import sys

from eclip_node_agent.main import main

sys.exit(main())
