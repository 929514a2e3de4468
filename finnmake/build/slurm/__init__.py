"""Slurm as executor of tool actions.

``commands`` speaks to Slurm, ``runner`` submits a build's actions and waits for them, ``job`` is what runs on the node.
"""
