"""`python -m secretscan`."""

import sys

from secretscan.cli import main

sys.exit(main())
