"""A lakehouse on an S3 server, with the settings and the command of docs/clusters.md."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import yaml
from pyiceberg.catalog import load_catalog

from tests.support.dbt_runner import ROOT
from tests.support.maven import artifact
from tests.support.object_store import KEY, SECRET, client
from tests.support.published import RUN_TIME, TABLES

PAGE = (ROOT / "docs/clusters.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("\n## Landing files, tables and checkpoints on S3\n")[2]
# `file_modified_at` is the time of the copy.
NOT_COMPARED = {*RUN_TIME["gold"], *RUN_TIME["bronze"], "file_modified_at"}

AS_OF = "2026-01-15"


def landings() -> list[dict[str, bytes]]:
    """Return the files that land before each of two builds.

    First the sample, then a new file and a changed one.
    """
    folder = ROOT / "landing"
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    sample = {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}
    name = "lines/car_events_00001.jsonl"
    new = sample[name].replace(b'"evt_', b'"new_').replace(b'"carChassis":"', b'"carChassis":"NEW')
    assert new.count(b"NEW") > 9
    return [sample, {"lines/new.jsonl": new, name: sample[name] + b"no event\n"}]


def block(language: str) -> str:
    """Return the first code block of that language in the page's section."""
    found = re.search(rf"```{language}\n(.*?)```", SECTION, re.S)
    assert found
    return found[1]


class LakehouseOnS3:
    """A bucket, a catalog, and dbt with a separate profile."""

    def __init__(self, url: str, bucket: str, folder: Path, master: str) -> None:
        """Create the bucket and the profile.

        Args:
            url: The URL of the S3 server.
            bucket: The name of the new bucket.
            folder: An empty folder for the catalog, the profile and dbt's target.
            master: The URL of Spark's master.
        """
        self.url, self.bucket, self.folder, self.master = url, bucket, folder, master
        self.s3 = client(url)
        self.s3.create_bucket(Bucket=bucket)
        text = block("yaml").replace("/data/", f"{folder}/").replace("http://storage:8333", url)
        lines = yaml.safe_load(text)
        packages = lines.pop("spark.jars.packages").split(",")
        lines["spark.jars"] = ",".join(str(artifact(f"{package}:jar")) for package in packages)
        profiles = yaml.safe_load((ROOT / "profiles.yml").read_text(encoding="utf-8"))
        target = profiles["lakehouse"]["outputs"]["cluster"]
        del target["server_side_parameters"]["spark.jars.packages"]
        target["server_side_parameters"] |= lines | {"spark.executor.memory": "512m"}
        (folder / "profiles.yml").write_text(yaml.safe_dump(profiles))

    def land(self, name: str, content: bytes) -> None:
        """Upload a file to the landing folder."""
        self.s3.put_object(Bucket=self.bucket, Key=f"landing/{name}", Body=content)

    def keys(self, prefix: str) -> list[str]:
        """Return the keys of the objects with this prefix."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [each["Key"] for page in pages for each in page.get("Contents", ())]

    def build(self, *options: str, succeeds: bool = True, **variables: object) -> str:
        """Run the page's command and return its output."""
        command = shlex.split(block("sh").replace("\\\n", "").replace("bucket", self.bucket))
        vars_at = command.index("--vars") + 1
        command[vars_at] = yaml.safe_dump(yaml.safe_load(command[vars_at]) | variables)
        named = dict(word.split("=", 1) for word in command[: command.index("uv")])
        self._environment = named | {"LAKEHOUSE_MASTER": self.master, "LAKEHOUSE_SCHEMA": "s3"}
        words = command[command.index("dbt") + 1 :]
        return self.run("dbt.cli.main", *words, *options, succeeds=succeeds)

    def run(self, module: str, *words: str, succeeds: bool = True) -> str:
        """Run a module with the environment of the page's command and return its output."""
        ours = ("LAKEHOUSE_", "DBT_", "AWS_")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        done = subprocess.run(
            [sys.executable, "-m", module, *words],
            cwd=ROOT,
            env=clean
            | self._environment
            | {
                "AWS_ACCESS_KEY_ID": KEY,
                "AWS_SECRET_ACCESS_KEY": SECRET,
                "DBT_PROFILES_DIR": str(self.folder),
                "DBT_TARGET_PATH": str(self.folder / "target"),
                "DBT_LOG_PATH": str(self.folder / "logs"),
                "DBT_SPARK_POOL": "off",
                "LAKEHOUSE_TARGET": "cluster",
                "LAKEHOUSE_DRIVER_MEMORY": "1g",
                "LAKEHOUSE_SHUFFLE_PARTITIONS": "4",
            },
            **{"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True},
        )
        assert (done.returncode == 0) == succeeds, done.stdout
        return done.stdout

    def rows(self) -> dict[str, list[tuple]]:
        """Return the published rows of each table of this project, as pyiceberg reads them."""
        catalog = load_catalog(
            "lakehouse",
            **{
                "type": "sql",
                "uri": f"sqlite:///{self.folder}/catalog.db",
                "s3.endpoint": self.url,
                "s3.access-key-id": KEY,
                "s3.secret-access-key": SECRET,
                "s3.region": "us-east-1",
            },
        )
        return {
            name: comparable(catalog.load_table(f"s3_{layer}.{name}"))
            for layer, names in TABLES.items()
            for name in names
        }


def comparable(table) -> list[tuple]:
    """Return a table's rows without the columns that depend on the run or on file copies."""
    rows = table.scan().to_arrow()
    rows = rows.drop_columns(list(NOT_COMPARED & set(rows.column_names)))
    return sorted((tuple(row.values()) for row in rows.to_pylist()), key=repr)
