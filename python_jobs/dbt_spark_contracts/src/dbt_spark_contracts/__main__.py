"""`python -m dbt_spark_contracts`, as `dbt-spark-contracts`."""

from dbt_spark_contracts.cli.main import main

if __name__ == "__main__":
    main()
