"""Compares the build with other builds of the same tables: `python -m python_jobs.bench`."""
