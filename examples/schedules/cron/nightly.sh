#!/bin/sh
# Build, then keep house. A step that fails ends it, and cron has its exit code.
set -eu
cd "$(dirname "$0")/../../.."
PATH="$HOME/.local/bin:$PATH"   # cron knows few folders, and uv is in this one

# Waits for a build that somebody runs by hand.
uv run dbt build --vars '{lock_wait_seconds: 600}'
# Only what readers see. Files of the last days stay, for `dbt source freshness` and for people.
uv run python -m python_jobs.archive_landing --to "${LANDING_ARCHIVE:-.lakehouse/landing_archive}" --older-than 30
uv run dbt-spark-contracts maintain --keep-days 7
