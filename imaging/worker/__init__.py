"""The wall: strangers' bytes are decoded in processes of their own, which hold nothing of value."""
