"""Measuring: loops on both engines and on raw Unicorn, whole programs, and how the figures are told."""
