"""What runs inside an agent: reading, sending, checking."""
