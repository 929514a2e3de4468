"""Execution of models and cores: onnxruntime with NumPy, C++ simulation, RTL simulation."""
