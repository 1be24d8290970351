"""`python -m eclip_device_plugin`."""

import sys

from eclip_device_plugin.main import main

sys.exit(main())
