"""Optimisation passes on the intermediate form. One module per optimisation."""
