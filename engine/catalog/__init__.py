"""Entries and state in Parquet; the only room that imports duckdb."""
