"""Instances, equal ones of which are synthesised as one: what the rules of several FPGAs share.

A kernel marks what a core has many of with the attribute ``mapped_once``, 0 or 1.
"""

from __future__ import annotations

_INSTANCES = "*/a:mapped_once=1"

KEEP = f"setattr -set keep_hierarchy 1 {_INSTANCES}"
"""The pass in front of flattening; they then stay modules of their own."""

MERGE = (f"setattr -unset keep_hierarchy {_INSTANCES}", "flatten", "opt_clean")
"""The passes behind mapping: they become part of the core."""
