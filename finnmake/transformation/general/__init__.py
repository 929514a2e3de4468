"""Tidying, naming and spelling: what any ONNX graph may need, quantised or not. One transformation a file."""

from finnmake.transformation.general.lower_to_channels_last import LowerToChannelsLast

__all__ = ["LowerToChannelsLast"]
