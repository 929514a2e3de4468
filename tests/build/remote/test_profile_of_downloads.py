"""In a profile, what was downloaded has the time that it took."""

from __future__ import annotations

import json
from pathlib import Path

from tests.build.remote.conftest import Misbehaving
from tests.support.small_build import SmallBuild


def test_downloads_are_a_phase(misbehaving: Misbehaving, tmp_path: Path) -> None:
    text = f'[remote]\nurl = "{misbehaving.url}"\nrole = "read-write"\n'
    SmallBuild.create(tmp_path / "one", text).build("net")
    user = SmallBuild.create(tmp_path / "two", text)
    assert user.build("net", profile="profile.json") == {"remote": 4}
    events = json.loads((user.folder / "profile.json").read_text())["traceEvents"]
    assert {event["args"]["outcome"] for event in events if event.get("cat") == "action"} == {"remote"}
    fetched = [event["args"]["task"] for event in events if event["name"] == "fetch remote"]
    assert sorted(fetched) == ["net:a", "net:all", "net:b", "net:list"]
    assert all(event["cat"] == "fetch" for event in events if event["name"].startswith("fetch"))
    assert not any(event["name"] == "run" for event in events)
