"""Executions: the runner, its fleet and its state machine."""
