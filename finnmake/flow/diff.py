"""``finnmake diff``: what a transformation did."""

from __future__ import annotations

import argparse
import json

TROUBLE = 2
"""Exit status where the comparison itself is not possible, as with diff."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of ``finnmake diff``."""
    for name, what in (("before", "A"), ("after", "B")):
        parser.add_argument(name, metavar=what, help="an .onnx file, or TARGET[:STEP] of the build file")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(error_status=TROUBLE)


def diff_command(options: argparse.Namespace) -> int:
    """Prints the differences of two models.

    Returns:
        0 where they are equal, 1 where they differ.
    """
    from finnmake.flow.graph_files import graph_file
    from finnmake.graph.model_wrapper import ModelWrapper
    from finnmake.report.model_difference import model_difference

    before, after = (ModelWrapper(graph_file(text)) for text in (options.before, options.after))
    difference = model_difference(before, after)
    if options.json:
        print(json.dumps(difference.as_json(), indent=1))
    else:
        for line in difference.lines():
            print(line)
    return 0 if difference.equal else 1
