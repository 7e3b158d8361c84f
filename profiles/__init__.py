"""Saved profiles of migrations: their schema, their checks, where they are kept. Light to import."""
