"""`python -m eclip` is `eclip`."""

import sys

from eclip.cli import main

sys.exit(main())
