"""The SQLite file of an execution: what happened, what was asked, what is known."""
