"""Texts of keys: what is written is read again, whatever is in it; differences name the ingredient."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finnmake.build.action_text import ActionText, differences, parse
from finnmake.errors import BuildFileError


def text(*actions: ActionText) -> str:
    return "\n\n".join("\n".join(action.lines()) for action in actions)


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_round_trip(ingredients: dict[str, str]) -> None:
    actions = [ActionText("net:a", "ab" * 32, ingredients), ActionText("net:b", "cd" * 32, {"input x": "1"})]
    assert parse(text(*actions), "there") == {action.task: action for action in actions}


def test_an_ingredient_is_one_line_that_can_be_read() -> None:
    action = ActionText("net:a", "ab" * 32, {"argument 1": 'say "x"\n', "input a = b": "0", "input in/x": "1"})
    assert list(action.lines()) == [
        "action net:a",
        f"  key {'ab' * 32}",
        r'  argument 1 = "say \"x\"\n"',
        '  "input a = b" = "0"',
        '  input in/x = "1"',
    ]


def test_differences() -> None:
    before = {name: ActionText(name, "1" * 64, {"input x": "0" * 64, "tool sh": "5"}) for name in ("a", "b", "c")}
    after = {
        "a": before["a"],
        "b": ActionText("b", "2" * 64, {"input x": "f" * 64, "input y": "1"}),
        "d": ActionText("d", "3" * 64, {}),
    }
    assert differences(before, after) == {
        "b": ["input x: 000000000000 -> ffffffffffff", "input y: new", "tool sh: no longer there"],
        "c": ["only in the first"],
        "d": ["only in the second"],
    }
    assert differences(before, before) == {}
    edited = {"a": ActionText("a", "9" * 64, before["a"].ingredients)}
    assert "a text has been edited" in differences({"a": before["a"]}, edited)["a"][0]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n\n",
        "hello\n",
        'action a\n  input x = "1"\n',
        "action a\n  key 1\n  input x = 1\n",
        'action a\n key 1\n "x',
    ],
)
def test_other_texts_are_refused(content: str) -> None:
    with pytest.raises(BuildFileError, match="finnmake aquery"):
        parse(content, "there")
