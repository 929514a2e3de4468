"""Checks a packed ECP5 bitstream against the configuration that place and route wrote.

Two things are compared:

* the bitstream with the one packed from its own unpacked text, byte for byte: nothing in it escapes the reading;
* the unpacked text with the routed one, tile by tile: every routed arc, every LUT table and other word, every block RAM
  content, and every setting that both name.

Some of what place and route writes occupies no bits, or shares its bits with the default: a fixed connection, a
setting at its default, a table of ones. Reading back cannot give these, and gives other names of the same bits instead.
They are let through by the patterns below; any other arc or word that one side has and the other has not is an error.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

# Arcs without bits: the default input of the multiplexer behind a LUT, and connections that are always there.
UNREADABLE_ARC = re.compile(
    r"(?P<lut>F[0-7]) (?P=lut)_SLICE"
    r"|\S*J(INCK|PADDI|PADDO|PADDT|DI[A-D]?|DIB|DIA|DIC|DID)\w* \S+"
    r"|\S+ \S*J?PADD[IOT]\w*"
)
# Arcs that bits at their default read back as.
DEFAULT_ARC = re.compile(r"\S*_?JECLK[01] \S*_?SYNCECLK[01]")
# A slice in carry mode marks "no injection" with the bit that selects the wide multiplexer in a slice of logic.
WIDE_MULTIPLEXER_ARC = re.compile(r"F(?P<lut>[0-7]) (F5|FX)[A-D]_SLICE")
# Settings whose bits span tiles or have several names: their bits are covered by the byte comparison only.
AMBIGUOUS_SETTING = re.compile(r"PIO[A-D]\.BASE_TYPE|EBR[0-9]\..*")
DIFFERENCES_SHOWN = 10


def fail(lines: Iterable[str]) -> NoReturn:
    """Ends the process with ERROR lines, exit status 1."""
    for line in lines:
        print(f"ERROR: {line}", file=sys.stderr)
    sys.exit(1)


class Configuration:
    """A Trellis text configuration: per tile the arcs (sink -> source), words and settings (name -> value)."""

    def __init__(self, path: str) -> None:
        self.device = ""
        self.arcs: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self.words: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self.settings: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self.memories: defaultdict[str, list[str]] = defaultdict(list)
        self._read(Path(path).read_text(encoding="ascii").splitlines())

    def _read(self, lines: Iterable[str]) -> None:
        tiles: tuple[str, ...] = ()
        memory: str | None = None
        for number, line in enumerate(lines, 1):
            words = line.split()
            if not words:
                continue
            if words[0].startswith("."):
                tiles, memory = (), None
                if words[0] == ".device":
                    self.device = words[1]
                elif words[0] in (".tile", ".tile_group"):
                    tiles = tuple(words[1:])
                elif words[0] == ".bram_init":
                    memory = words[1]
                elif words[0] not in (".comment", ".sysconfig"):
                    fail([f"line {number}: unknown section {words[0]}"])
            elif memory is not None:
                self.memories[memory] += words
            else:
                self._read_entry(tiles, words, number)

    def _read_entry(self, tiles: tuple[str, ...], words: Sequence[str], number: int) -> None:
        tables = {"arc:": self.arcs, "word:": self.words, "enum:": self.settings}
        for tile in tiles:
            if words[0] in tables:
                tables[words[0]][tile][words[1]] = words[2]
            elif words[0] != "unknown:":
                fail([f"line {number}: unknown entry {words[0]}"])


def carry_mode(settings: Mapping[str, str], lut: int) -> bool:
    """Whether the slice of LUT 0 to 7 of a tile is in carry mode."""
    return settings.get(f"SLICE{'ABCD'[lut // 2]}.MODE") == "CCU2"


def compare_arcs(routed: Configuration, unpacked: Configuration) -> tuple[list[str], int]:
    """Differences of the arcs as texts, and how many arcs were equal."""
    differences: list[str] = []
    equal = 0
    for tile in sorted(routed.arcs.keys() | unpacked.arcs.keys()):
        wanted, found = routed.arcs.get(tile, {}), unpacked.arcs.get(tile, {})
        for sink in sorted(wanted.keys() | found.keys()):
            if wanted.get(sink) == found.get(sink):
                equal += 1
            elif not same_bits(sink, wanted.get(sink), found.get(sink), routed.settings.get(tile, {})):
                sources = f"routed from {wanted.get(sink)}, read from {found.get(sink)}"
                differences.append(f"tile {tile}: arc to {sink} {sources}")
    return differences, equal


def same_bits(sink: str, wanted: str | None, found: str | None, settings: Mapping[str, str]) -> bool:
    """Whether two different sources of a sink, None for no arc, are two readings of the same bits."""
    wide = WIDE_MULTIPLEXER_ARC.fullmatch(f"{sink} {found}")
    if wide:
        return carry_mode(settings, int(wide["lut"]))
    if found is None:
        return UNREADABLE_ARC.fullmatch(f"{sink} {wanted}") is not None
    return wanted is None and DEFAULT_ARC.fullmatch(f"{sink} {found}") is not None


def compare_words(routed: Configuration, unpacked: Configuration) -> tuple[list[str], int]:
    """Differences of LUT tables and other words, and how many words were equal."""
    differences: list[str] = []
    equal = 0
    for tile in sorted(routed.words.keys() | unpacked.words.keys()):
        wanted, found = routed.words.get(tile, {}), unpacked.words.get(tile, {})
        for name in sorted(wanted.keys() | found.keys()):
            one, other = wanted.get(name), found.get(name)
            if one == other:
                equal += 1
            elif AMBIGUOUS_SETTING.fullmatch(name) or (
                name.endswith(".INIT") and set((one or "1") + (other or "1")) == {"1"}
            ):
                continue
            else:
                differences.append(f"tile {tile}: word {name} is {one}, read {other}")
    return differences, equal


def compare_settings(routed: Configuration, unpacked: Configuration) -> tuple[list[str], int]:
    """Differences of the settings that both sides name, and how many were equal."""
    differences: list[str] = []
    equal = 0
    for tile in sorted(routed.settings.keys() & unpacked.settings.keys()):
        wanted, found = routed.settings[tile], unpacked.settings[tile]
        for name in sorted(wanted.keys() & found.keys()):
            if wanted[name] == found[name]:
                equal += 1
            # NO and _NONE_ are one pattern of bits with two names.
            elif not AMBIGUOUS_SETTING.fullmatch(name) and {wanted[name], found[name]} != {"NO", "_NONE_"}:
                differences.append(f"tile {tile}: setting {name} is {wanted[name]}, read {found[name]}")
    return differences, equal


def main() -> None:
    """Compares and reports."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--routed", required=True, help="configuration written by place and route")
    arguments.add_argument("--unpacked", required=True, help="configuration read from the bitstream")
    arguments.add_argument("--bitstream", required=True, help="the bitstream")
    arguments.add_argument("--repacked", required=True, help="bitstream packed from the unpacked configuration")
    arguments.add_argument("--report", required=True, help="what was compared (JSON)")
    options = arguments.parse_args()
    if Path(options.bitstream).read_bytes() != Path(options.repacked).read_bytes():
        fail(["the bitstream read back and packed again is another bitstream"])
    routed, unpacked = Configuration(options.routed), Configuration(options.unpacked)
    if routed.device != unpacked.device:
        fail([f"placed and routed for {routed.device}, but the bitstream is for {unpacked.device}"])
    arc_differences, arcs = compare_arcs(routed, unpacked)
    word_differences, words = compare_words(routed, unpacked)
    setting_differences, settings = compare_settings(routed, unpacked)
    differences = arc_differences + word_differences + setting_differences
    for name in sorted(routed.memories.keys() | unpacked.memories.keys()):
        # A memory of zeros need not be written at all.
        wanted, found = (set_words(side.memories.get(name, [])) for side in (routed, unpacked))
        if wanted != found:
            differences.append(f"block RAM {name}: contents differ")
    if differences:
        hidden = len(differences) - DIFFERENCES_SHOWN
        fail(differences[:DIFFERENCES_SHOWN] + ([f"and {hidden} more differences"] if hidden > 0 else []))
    counts = {"arcs": arcs, "words": words, "settings": settings, "block_rams": len(routed.memories)}
    Path(options.report).write_text(
        json.dumps({"equal": True, **counts}, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )
    print("the bitstream holds the routed design:", ", ".join(f"{count} {name}" for name, count in counts.items()))


def set_words(words: Sequence[str]) -> dict[int, str]:
    """Position -> value of the words that are not zero."""
    return {position: word for position, word in enumerate(words) if int(word, 16)}


if __name__ == "__main__":
    main()
