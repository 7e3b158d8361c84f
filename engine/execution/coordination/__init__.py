"""The state machine of a run and its parts: pure, without IO and without a clock."""
