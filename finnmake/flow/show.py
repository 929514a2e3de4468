"""``finnmake show``: a graph file of the flow in Netron."""

from __future__ import annotations

import argparse

from finnmake.errors import BuildFileError, ToolError

HOST = "localhost"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of ``finnmake show``."""
    parser.add_argument("model", metavar="MODEL", help="an .onnx file, or TARGET[:STEP] of the build file")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="port of the page (default: a free one)")
    parser.add_argument("--no-browser", action="store_true", help="only serve the page")


def show_command(options: argparse.Namespace) -> int:
    """Serves the page on this machine until Ctrl-C.

    Returns:
        0.

    Raises:
        BuildFileError: no such file, or the port is taken.
        ToolError: the package ``netron`` is not installed.
    """
    from finnmake.flow.graph_files import graph_file

    path = graph_file(options.model)
    if not 0 <= options.port < 1 << 16:
        raise BuildFileError(f"--port {options.port}", remedy="Say 1 to 65535, or nothing for a free one.")
    try:
        import netron
    except ImportError:
        raise ToolError(
            "the package netron is not installed", remedy='It draws the graph: pip install "finnmake[show]".'
        ) from None
    try:
        # The path, not the bytes: Netron then finds the tensors that lie in files beside the graph.
        _, port = netron.start(str(path), address=(HOST, options.port or None), browse=not options.no_browser)
    except OSError as problem:
        raise BuildFileError(
            f"port {options.port} cannot be used: {problem.strerror}", remedy="Name another --port, or none."
        ) from None
    print(f"{path} at http://{HOST}:{port} (Ctrl-C ends)", flush=True)
    netron.wait()
    return 0
