"""Erasing a value: who holds it, the rewriting of tables, and the proof (docs/erasing.md).

The value itself never reaches a dbt argument, a statement's text or a log: dbt keeps all of them.
"""
