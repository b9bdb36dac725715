"""Engines: what executes instructions on a Pe and a Memory."""
