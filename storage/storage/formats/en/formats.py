"""Times as the log has them. Django's own form ends at the minute."""

DATETIME_FORMAT = "Y-m-d H:i:s.u e"
