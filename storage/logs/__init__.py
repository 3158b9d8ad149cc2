"""The Django app of the log: its rows, its API, its admin."""
