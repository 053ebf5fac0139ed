"""A run on its branch: the lease on the tables, begin, end, recovery, and the operations by hand.

On Iceberg's own API. Knows no Jinja: what it needs of dbt is handed to it.
"""
