"""What ``xsync demo`` needs besides the engine: a dataset to move and a real S3 server to move it to."""
