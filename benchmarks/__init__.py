"""Benchmarks: each module is one command that prints a table. They build with the real tools and take minutes."""
