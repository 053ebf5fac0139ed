"""Seeds for the tests that try something else each time they run."""

import os
import random


def any_seed(test: str) -> int:
    """A seed, printed with the command that repeats the run; TEST_SEED sets it."""
    seed = int(os.environ.get("TEST_SEED") or random.SystemRandom().randrange(10**9))
    print(f"To repeat it: TEST_SEED={seed} uv run pytest --tier full '{test}'")
    return seed
