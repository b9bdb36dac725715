"""The fast engine from outside: its blocks, where time goes, whether it agrees with the reference engine."""
