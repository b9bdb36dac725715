"""The fast engine: guest blocks translated into plain A64 that Unicorn compiles (docs/fast-engine.md)."""
