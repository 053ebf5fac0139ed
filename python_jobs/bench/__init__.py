"""How long a build takes beside rivals for the same tables: `python -m python_jobs.bench`."""
