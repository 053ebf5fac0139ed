"""The benchmark's smoke run: four contestants build the same Gold in separate processes."""

import json

from python_jobs.bench.__main__ import main


def test_smoke(tmp_path, capsys):
    out = tmp_path / "report"
    assert main(["--smoke", "--work", str(tmp_path / "work"), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert said == (out / "report.md").read_text(encoding="utf-8")
    builds = json.loads((out / "results.json").read_text())["builds"]
    assert [build["step"] for build in builds] == ["D cold", "H", "Ht", "K"]
    for build in builds:
        assert f"| 100 | {build['step']} |" in said
        assert build["measured"]["cpu_seconds"] > 0
        assert build["measured"]["peak_bytes"] > 0
    # The peak includes Java: a Python process alone stays below this.
    assert builds[0]["measured"]["peak_bytes"] > 400 * 2**20
    assert (out / "performance.png").exists()
