"""From the start of a process to its first poll, and to the first photo done."""
