"""Measures the build against others of the same tables: `python -m python_jobs.bench`."""
