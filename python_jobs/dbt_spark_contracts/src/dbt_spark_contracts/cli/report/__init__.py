"""`dbt-spark-contracts report`: the last runs, as a table or as a page with plots."""
