"""Reads how Verilator's generated code evaluates a model, to see which of its functions can be called directly.

``eval`` of a model asks in loops what has changed. Of a core with one clock and without combinational loops that is
known: after a change of inputs the function ``eval_ico`` brings up to date what follows from them, at a rising edge
``eval_nba`` the registers and what follows from those, each in one call. Where the generated text is not exactly what
that needs (more clocks, another version of Verilator), `read_evaluation` says so, and ``eval`` is used.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

CLOCK = "aclk"
_FUNCTION = re.compile(r"^(?:VL_\w+ )?(?:void|bool) (Vmodel\w*)\([^{};]*\) \{\n(.*?)\n\}$", re.MULTILINE | re.DOTALL)
_LOG = re.compile(r"VL_DEBUG_IF\([^\n]*")
_COMMENT = re.compile(rf"/\*.*?\*/|//[^\n]*|{_LOG.pattern}", re.DOTALL)
_DECLARATION = re.compile(r"\s*(?:Vmodel__Syms\* const __restrict|auto&)[^;]*;")
_PIECE = re.compile(r"([^;{}]*)([;{}])")
_NAME = re.compile(r"\b[A-Za-z_]\w*\b(?!\s*\()")
_CALL = re.compile(r"\b(Vmodel\w*)\s*\(")
_ASSIGNMENT = re.compile(r"(?<![=<>!])=(?!=)")
_CLOCK_USE = re.compile(rf"(?:\.|->){CLOCK}\b")
_TRIGGER = re.compile(r"region trigger index \d+ is active: (@[^\n]*)")
_OTHER_EDGE = re.compile(rf"(?<!posedge )\b{CLOCK}\b")
_NO_VALUES = frozenset({"vlSelfRef", "vlSelf", "vlSymsp", "TOP", "CData", "SData", "IData", "QData", "const", "else"})
_ROOT = "Vmodel___024root___"
_RISING_EDGE = f"""
    vlSelfRef.__VactTriggered[0U] = (QData)((IData)(
        ((IData)(vlSelfRef.{CLOCK}) & (~ (IData)(vlSelfRef.__Vtrigprevexpr___TOP__{CLOCK}__0)))));
    vlSelfRef.__Vtrigprevexpr___TOP__{CLOCK}__0 = vlSelfRef.{CLOCK};
"""
_FIRST_ITERATION = """
    vlSelfRef.__VicoTriggered[0U] = ((0xfffffffffffffffeULL & vlSelfRef.__VicoTriggered[0U])
        | (IData)((IData)(vlSelfRef.__VicoFirstIteration)));
"""


@dataclass(frozen=True)
class Evaluation:
    """How a core may be evaluated.

    Attributes:
        direct: ``eval_ico`` and ``eval_nba`` do together what ``eval`` does.
        rising_only: nothing happens at a falling edge of the clock.
        combinational: inputs that an output may depend on with no register between them.
    """

    direct: bool
    rising_only: bool
    combinational: frozenset[str]


def read_evaluation(text: str, inputs: frozenset[str], outputs: frozenset[str]) -> Evaluation:
    """What the generated C++ of a model with the prefix ``Vmodel`` allows.

    Args:
        text: of all its files; the names of what starts something are in messages for debugging.
        inputs: names of its ports.
        outputs: names of its ports.
    """
    functions = dict(_FUNCTION.findall(text))
    triggers = _TRIGGER.findall(text)
    rising_only = bool(triggers) and not any(_OTHER_EDGE.search(trigger) for trigger in triggers)
    at_inputs = _called(functions, f"{_ROOT}eval_ico")
    at_edges = _called(functions, f"{_ROOT}eval_nba")
    if at_inputs is None or at_edges is None or not _starts_as_expected(functions):
        return Evaluation(direct=False, rising_only=rising_only, combinational=inputs)
    if any(_CLOCK_USE.search(functions[name]) for name in at_inputs | at_edges):
        return Evaluation(direct=False, rising_only=rising_only, combinational=inputs)
    followers = _followers([_bare(functions[name]) for name in sorted(at_inputs)])
    combinational = frozenset(name for name in inputs if _reached(name, followers) & outputs)
    return Evaluation(direct=True, rising_only=True, combinational=combinational)


def _called(functions: Mapping[str, str], first: str) -> set[str] | None:
    """A function and all that it calls; None where one of them is not there."""
    found, waiting = set[str](), [first]
    while waiting:
        name = waiting.pop()
        if name not in functions:
            return None
        if name not in found:
            found.add(name)
            waiting.extend(_CALL.findall(_LOG.sub("", functions[name])))
    return found


def _starts_as_expected(functions: Mapping[str, str]) -> bool:
    """Whether nothing but a change of inputs and the rising edge starts anything, and either is over after one pass."""
    return (
        _body(functions, "eval_triggers_vec__act") == _without_space(_RISING_EDGE)
        and _body(functions, "eval_triggers_vec__ico") == _without_space(_FIRST_ITERATION)
        # A region "active" would be evaluated before the registers.
        and _body(functions, "eval_phase__act").endswith("return(0U);")
        and _is_guarded(_body(functions, "eval_ico"), "__VicoTriggered")
        and _is_guarded(_body(functions, "eval_nba"), "__VnbaTriggered")
    )


def _body(functions: Mapping[str, str], name: str) -> str:
    return _without_space(_bare(functions.get(_ROOT + name, "")))


def _bare(body: str) -> str:
    return _DECLARATION.sub("", _COMMENT.sub("", body))


def _without_space(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _is_guarded(body: str, array: str) -> bool:
    """Whether all of a function but its local variables stands behind one condition."""
    local, condition, guarded = body.partition(f"if((1ULL&vlSelfRef.{array}[0U])){{")
    if not condition or body.count(array) != 1 or re.search(r"vlSelf|vlSymsp|[{}]", local):
        return False
    depth = 1
    for position, character in enumerate(guarded):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth == 0:
            return position == len(guarded) - 1
    return False


def _followers(bodies: list[str]) -> dict[str, set[str]]:
    """What may depend on each name, in one step. Never too little: names that are alike are one value."""
    followers: dict[str, set[str]] = defaultdict(set)
    for body in bodies:
        conditions: list[set[str]] = []
        for piece, end in _PIECE.findall(body):
            names = set(_NAME.findall(piece)) - _NO_VALUES
            if end == "{":
                conditions.append(names)
                continue
            left, assigned, _ = _split(piece)
            targets = set(_NAME.findall(left)) - _NO_VALUES if assigned else names
            for name in names.union(*conditions):
                followers[name] |= targets
            if end == "}" and conditions:
                conditions.pop()
    return followers


def _split(piece: str) -> tuple[str, bool, str]:
    """An assignment's two sides. A piece without one, a call, may write to all that it names."""
    found = _ASSIGNMENT.search(piece)
    return (piece, False, "") if found is None else (piece[: found.start()], True, piece[found.end() :])


def _reached(name: str, followers: Mapping[str, set[str]]) -> set[str]:
    found, waiting = set[str](), [name]
    while waiting:
        new = followers.get(waiting.pop(), set()) - found
        found |= new
        waiting.extend(new)
    return found
