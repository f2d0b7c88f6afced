"""``make demo``: one photo through the real handler and an S3 server in this process."""
