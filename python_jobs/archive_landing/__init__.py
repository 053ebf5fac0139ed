"""`python -m python_jobs.archive_landing`: move landing files that are in Bronze to an archive."""
