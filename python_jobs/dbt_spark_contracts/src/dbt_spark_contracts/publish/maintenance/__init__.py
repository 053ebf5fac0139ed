"""Maintenance of Iceberg tables: settings from meta, measuring, and Iceberg's own actions."""
