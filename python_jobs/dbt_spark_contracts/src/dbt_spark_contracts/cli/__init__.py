"""The command `dbt-spark-contracts`, with a file or folder per sub-command.

They read dbt's artifacts, git and tables. Nothing that runs during a dbt command imports them.
"""
