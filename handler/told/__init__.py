"""Reports of each photo: the log and its metrics, traces, the quarantine, completion events."""
