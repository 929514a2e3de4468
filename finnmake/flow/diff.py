"""``finnmake diff``: what a transformation did."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from finnmake.errors import ModelError

if TYPE_CHECKING:
    from finnmake.graph.model_wrapper import ModelWrapper

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
    from finnmake.report.model_difference import model_difference

    before, after = (_read(text) for text in (options.before, options.after))
    difference = model_difference(before, after)
    if options.json:
        print(json.dumps(difference.as_json(), indent=1))
    else:
        for line in difference.lines():
            print(line)
    return 0 if difference.equal else 1


def _read(text: str) -> ModelWrapper:
    """The graph that a user names; its constants are looked at, as a file that no build has read may hold anything."""
    from finnmake.flow.graph_files import graph_file
    from finnmake.frontend.validation import check_arrays
    from finnmake.graph.model_wrapper import ModelWrapper

    path = graph_file(text)
    model = ModelWrapper(path)
    try:
        check_arrays(model)
    except ModelError as problem:
        raise ModelError(problem.what, where=f"{path}: {problem.where}", remedy=problem.remedy) from None
    return model
