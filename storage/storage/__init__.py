"""The internal service that keeps the log."""
