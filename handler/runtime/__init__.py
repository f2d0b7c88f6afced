"""What Lambda asks of a function: deadline, SIGTERM, SnapStart, memory."""
