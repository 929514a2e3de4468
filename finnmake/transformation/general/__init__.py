"""Tidying, naming and spelling: what any ONNX graph may need, quantised or not. One transformation a file."""

__all__: list[str] = []
