"""A full disk or a missing permission gives one clear message, and main is unchanged."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.support.dbt_runner import ROOT

SMALL_DISK = "mount -t tmpfs -o size=24m,mode=777 tmpfs "


def report_of(process: subprocess.CompletedProcess) -> list[dict]:
    """Return the report of tests/support/trouble.py."""
    assert "REPORT" in process.stdout, process.stdout + process.stderr
    return json.loads(process.stdout.partition("REPORT")[2])


def check(report: list[dict], line: str) -> None:
    *troubles, after = report
    assert len(troubles) == 3
    for trouble in troubles:
        said = "\n".join(trouble["said"])
        assert not trouble["success"], trouble["trouble"]
        assert trouble["as_expected"], trouble["trouble"]
        assert "Traceback" not in said and "\tat org." not in said, said
        folder = trouble["trouble"].split()[1]
        lines = [text for text in said.splitlines() if line in text]
        assert lines and all(f"/{folder}" in text for text in lines), said
    assert after["success"], after["said"]
    assert after["as_expected"]


def test_disk_full(tmp_path):
    """Use small disks in a mount namespace."""
    alone = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
    disks = [tmp_path / name for name in ("warehouse", "checkpoints")]
    for disk in disks:
        disk.mkdir()
    mount = " && ".join(SMALL_DISK + str(disk) for disk in disks)
    if (
        not shutil.which("unshare")
        or subprocess.run([*alone, "sh", "-c", mount], capture_output=True).returncode
    ):
        pytest.skip("this machine lets the test mount no disk of its own")
    builds = f"{sys.executable} -m tests.support.trouble full {tmp_path}"
    process = subprocess.run(
        [*alone, "sh", "-c", f"{mount} && {builds}"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    check(report_of(process), "No space left on device")


@pytest.mark.slow
def test_no_permission(tmp_path):
    """Run without root's right to write everywhere."""
    bound = []
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root may write everywhere, and here is no setpriv to give that up")
        bound = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    process = subprocess.run(
        [*bound, sys.executable, "-m", "tests.support.trouble", "forbidden", tmp_path],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    check(report_of(process), "Permission denied")
