"""What screens show, as pure functions from values to rows of text with a role: no Textual, no IO, no clock."""
