"""What stands on the other side of the wall, in tests: scripted workers, and taken-over ones."""
