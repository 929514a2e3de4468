"""Lines of logs that say that a tool has failed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finnmake.build.log_lines import error_lines, lines_of, required_text
from finnmake.build.rules import load_rules
from finnmake.resources import find_resources

# Of a few words only, so that they meet; with what regular expressions can make optional, and line ends of all kinds.
_PARTS = ["ERROR", "error:", "e", "r", " ", "%", ": ", ".", r"\b", r"\s", "^", "$", "[er]", "(r)", "(?:E)", "|"]
_PATTERNS = st.lists(
    st.tuples(st.sampled_from(_PARTS), st.sampled_from(["", "", "", "?", "*", "+", "{0,1}", "{2}"])).map("".join),
    min_size=1,
    max_size=5,
).map("".join)
_LOGS = st.lists(
    st.sampled_from([*b"ERROR error: e r % : \n \r\n \x0b \xc2\x85 \xff".split(b" "), b" "]),
    max_size=12,
).map(b"".join)


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True


@given(_LOGS, st.lists(_PATTERNS, max_size=3), st.sampled_from(["", "(?i)", "(?x)"]))
def test_the_lines_that_an_expression_is_found_in(log: bytes, patterns: list[str], flags: str) -> None:
    patterns = [flags + pattern for pattern in patterns if _is_pattern(flags + pattern)]
    expected = [line for line in lines_of(log) if any(re.search(pattern, line) for pattern in patterns)]
    assert error_lines(log, patterns) == expected


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"\bERROR: ?.*", "ERROR:"),
        ("^%Error", "%Error"),
        ("error:", "error:"),
        ("errors*", "error"),
        ("a{0,1}b", ""),
        ("ab+c", "ab"),
        ("ERROR|FATAL", ""),
        ("(?i)error", ""),
        (r"\s*error", ""),
    ],
)
def test_required_text(pattern: str, text: str) -> None:
    assert required_text(pattern) == text


def test_logs_of_synthesis_need_no_regular_expression() -> None:
    patterns = load_rules(find_resources().rules)["ecp5_synth"].error_patterns
    assert patterns
    assert all(map(required_text, patterns))


def test_bytes_that_are_no_text() -> None:
    assert error_lines(b"\xff fine\n", [r"\bERROR: ?.*", "^%Error"]) == []
    assert error_lines(b"\xff ERROR: bad\nfine\n", [r"\bERROR: ?.*", "^%Error"]) == ["\ufffd ERROR: bad"]
