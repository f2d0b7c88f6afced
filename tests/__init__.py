"""Tests of renditions: unit, contract, integration and container."""
