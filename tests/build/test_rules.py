"""Rules are data; a mistake in them is found when they are loaded or applied, and named."""

from __future__ import annotations

from pathlib import Path

import pytest

from finnmake.build.action import ToolCommand
from finnmake.build.rules import Parameter, load_rules
from finnmake.errors import BuildFileError

RULE = """
[[tool]]
name = "yosys"
candidates = ["yosys"]
cache = { variable = "Y_CACHE", directory = "Y" }

[rule.synth]
mnemonic = "Synth"
tools = ["python"]
command = ["yosys", "-D{define}", "--set={{x}}", "{flags}", "{inputs}", "${tool:python}"]
files = ["script.py"]
outputs = ["{top}.json", "logs/"]
environment = { TOP = "{top}" }
error_patterns = ["^ERROR"]
licence = "yosys-pro"
"""


def write(folder: Path, text: str, name: str = "flow") -> Path:
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "rule.toml").write_text(text)
    (folder / name / "script.py").write_text("")
    return folder


def test_application(tmp_path: Path) -> None:
    rules = load_rules(write(tmp_path, RULE))
    assert set(rules) == {"synth"}
    assert rules.tools["yosys"].cache_variable == "Y_CACHE"
    parameters: dict[str, Parameter] = {"define": 3, "flags": ["-a", "-b"], "top": "core"}
    action = rules["synth"].action(parameters, {"a.v": Path("x/a.v"), "b.v": Path("b.v")}, "out")
    assert isinstance(action.command, ToolCommand)
    assert action.command.argv == ("yosys", "-D3", "--set={x}", "-a", "-b", "a.v", "b.v", "${tool:python}")
    assert action.command.environment == {"TOP": "core"}
    assert action.command.error_patterns == ("^ERROR",)
    assert action.outputs == {"core.json": "out/core.json", "logs/": "out/logs"}
    assert action.inputs["script.py"] == str(tmp_path / "flow" / "script.py")
    assert action.tools == ("python", "yosys")
    assert action.mnemonic == "Synth"
    assert action.licence == "yosys-pro"


def test_wrong_applications(tmp_path: Path) -> None:
    rule = load_rules(write(tmp_path, RULE))["synth"]
    good: dict[str, Parameter] = {"define": 3, "flags": [], "top": "core"}
    with pytest.raises(BuildFileError, match="rule synth: no value for top"):
        rule.action({"define": 1, "flags": []}, {}, "out")
    with pytest.raises(BuildFileError, match="no placeholder tops"):
        rule.action({**good, "tops": 1}, {}, "out")
    with pytest.raises(BuildFileError, match="must be a whole argument"):
        rule.action({**good, "define": ["x"]}, {}, "out")
    with pytest.raises(BuildFileError, match="no place given for its output logs/"):
        rule.action(good, {}, {"core.json": "x"})
    with pytest.raises(BuildFileError, match="is a file of the rule itself"):
        rule.action(good, {"script.py": Path("x")}, "out")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[rule.x", "cannot be read"),
        ("[rules.x]", "unknown tables rules"),
        ("[rule.x]", "entry command is missing"),
        ('[rule.x]\ncommand = "python"', "command is not a list of texts"),
        ("[rule.x]\ncommand = []", "does not start with a tool's name"),
        ('[rule.x]\ncommand = ["{tool}"]', "does not start with a tool's name"),
        ('[rule.x]\ncommand = ["python"]\nfolder = "/"', "unknown entry folder"),
        ('[rule.x]\ncommand = ["nosuch"]', "names a tool 'nosuch'"),
        ('[rule.x]\ncommand = ["python"]\nfiles = ["none.py"]', "'none.py' is not a file"),
        ('[rule.x]\ncommand = ["python"]\nfiles = ["../none/none.py"]', "'../none/none.py' is not a file"),
        ('[rule.x]\ncommand = ["python"]\nfiles = ["../../outside.py"]', "'../../outside.py' is not a file"),
        ('[rule.x]\ncommand = ["python"]\nfiles = ["/etc/hostname"]', "'/etc/hostname' is not a file"),
        ('[rule.x]\ncommand = ["python"]\nerror_patterns = ["("]', "error pattern '\\('"),
        ('[rule.x]\ncommand = ["python"]\nenvironment = { A = 1 }', "environment is not a table of texts"),
        ("[[tool]]\nwhy = 'x'", "entry name is missing"),
        ("[[tool]]\nname = 'x'", "neither candidates nor package"),
        ("[[tool]]\nname = 'x'\ncandidates = 'x'", "candidates is not a list"),
        ("[[tool]]\nname = 'x'\npackage = 'x'\nversion_pattern = '('", "version_pattern"),
        ("[[tool]]\nname = 'x'\npackage = 'x'\ncache = 'y'", "cache is not"),
    ],
)
def test_wrong_files(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BuildFileError, match=message) as caught:
        load_rules(write(tmp_path, text))
    assert caught.value.where == "flow/rule.toml"


def test_rules_share_files(tmp_path: Path) -> None:
    for name in ("one", "shared"):
        (tmp_path / name).mkdir()
    (tmp_path / "shared/common.py").write_text("")
    (tmp_path / "outside.py").write_text("")
    (tmp_path / "one/rule.toml").write_text('[rule.x]\ncommand = ["python"]\nfiles = ["../shared/common.py"]')
    action = load_rules(tmp_path)["x"].action({}, {}, {"result": "result"})
    assert {name: Path(str(source)) for name, source in action.inputs.items()} == {
        "common.py": tmp_path / "shared/common.py"
    }


def test_names_are_unique(tmp_path: Path) -> None:
    write(tmp_path, RULE)
    write(tmp_path, RULE, "other")
    with pytest.raises(BuildFileError, match="rule 'synth' is there twice"):
        load_rules(tmp_path)
    write(tmp_path, "[[tool]]\nname = 'yosys'\npackage = 'other'", "other")
    with pytest.raises(BuildFileError, match="declared elsewhere in another way"):
        load_rules(tmp_path)


def test_the_rules_of_this_repository_load() -> None:
    rules = load_rules(Path(__file__).parents[2] / "rules")
    assert rules
    assert all(tool.why and tool.get for tool in rules.tools.values())
