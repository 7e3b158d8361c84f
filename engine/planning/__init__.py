"""Pure planning: no IO, no clock."""
