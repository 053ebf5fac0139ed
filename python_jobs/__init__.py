"""Python programs beside the dbt models: the guard, the landing generator, the benchmark."""
