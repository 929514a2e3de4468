"""The accelerator's build file: which actions there are, and what each reads and writes.

Planning only: nothing here computes on tensors, and importing it loads neither NumPy nor ONNX, so that a build with
nothing to do stays fast.
"""
