"""What `dbt docs` shows beside dbt's own: an overview with counts, facts of tables, a safe page."""
