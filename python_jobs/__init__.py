"""What runs beside the dbt models: the dbt plugin, the landing generator, table maintenance."""
