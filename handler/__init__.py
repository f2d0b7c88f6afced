"""AWS: events, S3 and the Lambda context around :mod:`imaging`."""
