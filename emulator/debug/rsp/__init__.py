"""GDB's remote serial protocol on top of the debugger. Source: the GDB manual, appendix E."""
