"""An S3 bucket twice: as moto has it, for dbt-athena, and as a folder, for Spark."""

import os
from pathlib import Path

from tests.support.athena_double.errors import NotInTheDouble


class Bucket:
    """A bucket of moto's, and the folder that is the same to Spark, which sees it as s3://<name>/."""

    def __init__(self, s3, name: str, folder: Path) -> None:
        self.s3 = s3
        self.name = name
        self.folder = folder
        folder.mkdir(parents=True)
        s3.create_bucket(Bucket=name)
        # What both sides had when they were last the same: a key's ETag, its file's time and size.
        self._same: dict[str, tuple] = {}

    def mount(self, spark) -> None:
        """Let Spark find the folder under s3://<name>/."""
        hadoop = spark._jsc.hadoopConfiguration()
        hadoop.set("fs.s3.impl", "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme")
        # Raw: without checksum files, which no bucket has.
        raw = "org.apache.hadoop.fs.RawLocalFileSystem"
        hadoop.set("fs.viewfs.overload.scheme.target.s3.impl", raw)
        hadoop.set(f"fs.viewfs.mounttable.{self.name}.linkFallback", f"s3://{self.folder}")

    def path(self, url: str) -> Path:
        """The folder's file of an s3:// URL. Raises NotInTheDouble for another bucket's."""
        prefix = f"s3://{self.name}/"
        if not url.startswith(prefix):
            raise NotInTheDouble(f"the bucket of {url}")
        return self.folder / url.removeprefix(prefix).rstrip("/")

    def pull(self) -> None:
        """Make the folder what the bucket is: dbt-athena has put and deleted objects."""
        objects = {}
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name):
            objects.update({item["Key"]: item for item in page.get("Contents", [])})
        for key in self._same.keys() - objects.keys():
            (self.folder / key).unlink()
            del self._same[key]
        for key, item in objects.items():
            if self._same.get(key, (None,))[0] != item["ETag"]:
                file = self.folder / key
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(self.s3.get_object(Bucket=self.name, Key=key)["Body"].read())
                modified = item["LastModified"].timestamp()
                os.utime(file, (modified, modified))
                self._same[key] = (item["ETag"], *_version(file))

    def push(self) -> None:
        """Make the bucket what the folder is: Spark has written and deleted files."""
        files = {
            file.relative_to(self.folder).as_posix(): file
            for file in self.folder.rglob("*")
            if file.is_file()
        }
        for key in self._same.keys() - files.keys():
            self.s3.delete_object(Bucket=self.name, Key=key)
            del self._same[key]
        for key, file in files.items():
            if self._same.get(key, (None,))[1:] != _version(file):
                answer = self.s3.put_object(Bucket=self.name, Key=key, Body=file.read_bytes())
                self._same[key] = (answer["ETag"], *_version(file))


def _version(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_mtime_ns, found.st_size
