"""Running Python models in the dbt process, and what their code may do there."""
