"""The last pass of a migration, as a checklist whose steps are recorded."""
