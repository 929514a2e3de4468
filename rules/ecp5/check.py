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
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

# Arcs without bits: what a multiplexer takes when none of its bits is set. These are all that the Trellis database has.
UNREADABLE_ARC = re.compile(
    r"(?P<lut>F[0-7]) (?P=lut)_SLICE"
    r"|[HV]\d+[LRTB]\d+ [NESW]BOUNCE"
    r"|(\w+_)?REFCLK\d (\w+_)?JREFCLK\d_\d"
    r"|(\w+_)?CLKFB (\w+_)?CLKINTFB"
    r"|(\w+_)?JINCK (\w+_)?JPADDI"
    r"|JDI(?P<pad>[AB]) JPADDI(?P=pad)_PIO"
    r"|(\w+_)?DDRDEL G_\w+DDRDEL"
    r"|ECLK[AB] BNK_ECLK\d"
    r"|JMULTA\d+ JMUIA\d+"
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


@dataclass
class Section:
    """What a configuration says of one tile, or of a group of tiles that share their entries.

    Attributes:
        arcs: sink -> source.
        words: name -> bits.
        settings: name -> value.
    """

    arcs: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)


class Configuration:
    """A Trellis text configuration.

    Attributes:
        device: name of the FPGA.
        tiles: by name.
        groups: (names of the tiles, their common section).
        memories: block RAM -> its words.
    """

    def __init__(self, path: str) -> None:
        self.device = ""
        self.tiles: defaultdict[str, Section] = defaultdict(Section)
        self.groups: list[tuple[tuple[str, ...], Section]] = []
        self.memories: defaultdict[str, list[str]] = defaultdict(list)
        self._read(Path(path).read_text(encoding="ascii").splitlines())

    def _read(self, lines: Iterable[str]) -> None:
        section: Section | None = None
        memory: list[str] | None = None
        for number, line in enumerate(lines, 1):
            words = line.split()
            if not words:
                continue
            if words[0].startswith("."):
                section = memory = None
                if words[0] == ".device":
                    self.device = words[1]
                elif words[0] == ".tile":
                    section = self.tiles[words[1]]
                elif words[0] == ".tile_group":
                    section = Section()
                    self.groups.append((tuple(words[1:]), section))
                elif words[0] == ".bram_init":
                    memory = self.memories[words[1]]
                elif words[0] not in (".comment", ".sysconfig"):
                    fail([f"line {number}: unknown section {words[0]}"])
            elif memory is not None:
                memory += words
            elif section is not None and words[0] in ("arc:", "word:", "enum:"):
                table = {"arc:": section.arcs, "word:": section.words, "enum:": section.settings}[words[0]]
                table[words[1]] = words[2]
            elif section is None or words[0] != "unknown:":
                fail([f"line {number}: unknown entry {words[0]}"])


@dataclass
class Comparison:
    """Result of comparing two configurations: texts of differences, and how much was equal."""

    differences: list[str] = field(default_factory=list)
    arcs: int = 0
    words: int = 0
    settings: int = 0

    def tile(self, name: str, wanted: Section, found: Section, grouped: Section) -> None:
        """Compares one tile; the names in ``grouped`` belong to a group and are left out."""
        for sink in sorted(wanted.arcs.keys() | found.arcs.keys() - grouped.arcs.keys()):
            routed, read = wanted.arcs.get(sink), found.arcs.get(sink)
            if routed == read:
                self.arcs += 1
            elif not same_arc_bits(sink, routed, read, wanted.settings):
                self.differences.append(f"tile {name}: arc to {sink} routed from {routed}, read from {read}")
        for word in sorted(wanted.words.keys() | found.words.keys() - grouped.words.keys()):
            routed, read = wanted.words.get(word), found.words.get(word)
            if routed == read:
                self.words += 1
            # A table of ones is a table that is not set.
            elif not word.endswith(".INIT") or set((routed or "1") + (read or "1")) != {"1"}:
                self.differences.append(f"tile {name}: word {word} is {routed}, read {read}")
        for setting in sorted((wanted.settings.keys() & found.settings.keys()) - grouped.settings.keys()):
            routed, read = wanted.settings[setting], found.settings[setting]
            if routed == read:
                self.settings += 1
            # NO and _NONE_ are one pattern of bits with two names.
            elif not AMBIGUOUS_SETTING.fullmatch(setting) and {routed, read} != {"NO", "_NONE_"}:
                self.differences.append(f"tile {name}: setting {setting} is {routed}, read {read}")

    def group(self, names: Sequence[str], wanted: Section, found: Sequence[Section]) -> None:
        """Compares the entries of a group of tiles: each of them is in one tile, and which one is not said."""
        where = f"tiles {' '.join(names)}"
        for sink, source in sorted(wanted.arcs.items()):
            if source in [tile.arcs.get(sink) for tile in found]:
                self.arcs += 1
            elif not UNREADABLE_ARC.fullmatch(f"{sink} {source}"):
                self.differences.append(f"{where}: arc to {sink} routed from {source}, not read")
        for word, bits in sorted(wanted.words.items()):
            read = [tile.words[word] for tile in found if word in tile.words]
            if bits in read:
                self.words += 1
            elif not AMBIGUOUS_SETTING.fullmatch(word) and (read or "1" in bits):
                self.differences.append(f"{where}: word {word} is {bits}, read {', '.join(read) or None}")
        for setting, value in sorted(wanted.settings.items()):
            read = [tile.settings[setting] for tile in found if setting in tile.settings]
            if value in read:
                self.settings += 1
            elif read and not AMBIGUOUS_SETTING.fullmatch(setting):
                self.differences.append(f"{where}: setting {setting} is {value}, read {', '.join(read)}")

    def memories(self, wanted: Mapping[str, Sequence[str]], found: Mapping[str, Sequence[str]]) -> None:
        """Compares the contents of block RAMs; one of zeros need not be there at all."""
        for name in sorted(wanted.keys() | found.keys()):
            if set_words(wanted.get(name, [])) != set_words(found.get(name, [])):
                self.differences.append(f"block RAM {name}: contents differ")


def same_arc_bits(sink: str, routed: str | None, read: str | None, settings: Mapping[str, str]) -> bool:
    """Whether two different sources of a sink, None for no arc, are two readings of the same bits."""
    wide = WIDE_MULTIPLEXER_ARC.fullmatch(f"{sink} {read}")
    if wide:
        return settings.get(f"SLICE{'ABCD'[int(wide['lut']) // 2]}.MODE") == "CCU2"
    if read is None:
        return UNREADABLE_ARC.fullmatch(f"{sink} {routed}") is not None
    return routed is None and DEFAULT_ARC.fullmatch(f"{sink} {read}") is not None


def set_words(words: Sequence[str]) -> dict[int, str]:
    """Position -> value of the words that are not zero."""
    return {position: word for position, word in enumerate(words) if int(word, 16)}


def compare(routed: Configuration, unpacked: Configuration) -> Comparison:
    """Compares everything that can be read."""
    result = Comparison()
    grouped: defaultdict[str, Section] = defaultdict(Section)
    for names, section in routed.groups:
        result.group(names, section, [unpacked.tiles[name] for name in names])
        for name in names:
            grouped[name].arcs |= section.arcs
            grouped[name].words |= section.words
            grouped[name].settings |= section.settings
    for name in sorted(routed.tiles.keys() | unpacked.tiles.keys()):
        result.tile(name, routed.tiles[name], unpacked.tiles[name], grouped[name])
    result.memories(routed.memories, unpacked.memories)
    return result


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
    result = compare(routed, unpacked)
    if result.differences:
        hidden = len(result.differences) - DIFFERENCES_SHOWN
        fail(result.differences[:DIFFERENCES_SHOWN] + ([f"and {hidden} more differences"] if hidden > 0 else []))
    counts = {
        "arcs": result.arcs,
        "words": result.words,
        "settings": result.settings,
        "block_rams": len(routed.memories),
    }
    Path(options.report).write_text(
        json.dumps({"equal": True, **counts}, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )
    print("the bitstream holds the routed design:", ", ".join(f"{count} {name}" for name, count in counts.items()))


if __name__ == "__main__":
    main()
