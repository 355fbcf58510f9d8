"""``python -m sam2s``: the command line, where its script is not on the path."""

import sys

from sam2s.cli import main

sys.exit(main())
