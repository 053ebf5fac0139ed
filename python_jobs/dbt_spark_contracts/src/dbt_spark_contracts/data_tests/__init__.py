"""Data tests that have passed on the rows that are there are not run again in a build."""
