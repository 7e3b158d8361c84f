"""What a run leaves for people and other programs: reports, metrics, notifications."""
