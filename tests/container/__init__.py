"""Tests of the built image, run by the runtime interface emulator under Lambda's constraints."""
