"""``make corpus``: every file of a folder, rendered here and by others, and what differs."""
