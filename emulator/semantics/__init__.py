"""What instructions do: one function per row of the encoding table, one per class of base instruction."""
