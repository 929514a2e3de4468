"""The content-hashed build engine: actions, keys, store, state, executor, and doit as scheduler.

Knows nothing of neural networks. Five words, five files: the scheduler is doit (``doit_commands``), the rebuilder
decides what is out of date (``rebuilder``), the store remembers every result (``store``), the trace says why
(``why``), the executor runs one action (``executor``).

This file imports nothing: a build that has nothing to do must not pay for what it does not use.
"""
