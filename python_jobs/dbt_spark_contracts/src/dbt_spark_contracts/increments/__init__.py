"""What is new in a parent since a table was built from it, by Iceberg's snapshots."""
