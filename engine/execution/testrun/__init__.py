"""Test runs: steps of a ladder as executions, and what the host does beside them."""
