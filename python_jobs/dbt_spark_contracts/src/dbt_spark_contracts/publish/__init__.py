"""A run on its branch: the lease on the tables, begin, end, recovery, and manual operations.

Built on Iceberg's own API. It knows no Jinja: callers pass in what it needs of dbt.
"""
