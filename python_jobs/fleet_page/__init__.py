"""The fleet on one page, for its people: `python -m python_jobs.fleet_page`."""
