"""Seeds for randomized tests."""

import os
import random


def any_seed(test: str) -> int:
    """Return a random seed, or TEST_SEED, and print the command that repeats the run."""
    seed = int(os.environ.get("TEST_SEED") or random.SystemRandom().randrange(10**9))
    print(f"To repeat it: TEST_SEED={seed} uv run pytest --tier full '{test}'")
    return seed
