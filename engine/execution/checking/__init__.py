"""What can be found out before anything is copied: whether both sides, the way between and this host will do."""
