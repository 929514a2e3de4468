"""Hardware layers: one class per layer type, what it states (streams, cycles, memories) and its NumPy reference.

``layer`` is the contract, ``registry`` lists the classes, ``layer_file`` is a layer's canonical text, ``nodes``
connects layers to ONNX nodes, and the ``insert_*`` transformations complete a folded graph with width converters and
FIFOs.
"""
