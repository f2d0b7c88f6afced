"""One photo: what is there of it, what is made of it, what is removed."""
