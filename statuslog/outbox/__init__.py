"""The Django app of undelivered records: what storage could not take waits here, durably, until it can."""
