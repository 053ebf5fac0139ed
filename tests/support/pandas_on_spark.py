"""Whether pyspark's pandas API can be imported."""

import sys

# It uses names that numpy 2 removed, and no numpy 1 has a wheel for Python 3.13.
IMPORTABLE = sys.version_info < (3, 13)
