"""The public service: the status of the host, and the log."""
