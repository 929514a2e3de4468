"""Rendering: a layer to its core (Verilog and C++ tops, memory images), a list of layers to the stitched top."""
