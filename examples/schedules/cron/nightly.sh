#!/bin/sh
# Build, then keep house. All goes to logs/nightly.log. Where a step fails, it ends with one line,
# which cron sends by mail.
set -eu
cd "$(dirname "$0")/../../.."
PATH="$HOME/.local/bin:$PATH"   # cron knows few folders, and uv is in this one
mkdir -p logs
exec 3>&2 >> logs/nightly.log 2>&1
trap 'test $? = 0 || echo "the nightly build failed: $PWD/logs/nightly.log" >&3' EXIT

# Waits for a build that somebody runs by hand.
uv run dbt build --vars '{lock_wait_seconds: 600}'
# Only what readers see. The files of the last days stay, as `dbt source freshness` looks at them.
uv run python -m python_jobs.archive_landing --to "${LANDING_ARCHIVE:-.lakehouse/landing_archive}" --older-than 30
uv run dbt-spark-contracts maintain --budget 10m
