"""Ops that change places with a neighbour, the function unchanged. One transformation a file."""

__all__: list[str] = []
