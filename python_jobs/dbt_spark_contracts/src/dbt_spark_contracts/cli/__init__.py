"""The command `dbt-spark-contracts`: a file or a folder for each of its sub-commands.

They read dbt's artifacts, git and tables. Nothing that runs during a dbt command imports them.
"""
