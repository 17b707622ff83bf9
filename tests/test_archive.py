"""A run's folder: whole or visibly not, and what is listed of the whole ones."""

from __future__ import annotations

import hashlib
import json
import stat
from pathlib import Path

import pandas as pd
import pytest

from incident import archive
from incident.archive import RunFolder
from incident.findings import SourceError, UsageError

STARTED = pd.Timestamp("2025-09-07T10:15:00Z")
SUMMARY = {
    "schema": 1, "run_id": "20250907T101500Z-3f2a", "incident": "staging", "scope": {"service": "chat"},
    "started": "2025-09-07T10:15:00Z", "status": "failed",
    "causes": [{"cause": "startup-exception", "active": True}, {"cause": "app-refused", "active": False}],
}  # fmt: skip


def folder(outputs: Path, token: str = "3f2a") -> RunFolder:
    """Where a run of the incident `staging` is built."""
    return RunFolder(outputs, "staging", archive.new_run_id(STARTED, lambda size: token))


def published(outputs: Path, token: str = "3f2a", **changes: object) -> Path:
    """A whole run with a summary and one more file."""
    run = folder(outputs, token)
    run.make()
    archive.write_json(run.building / "summary.json", SUMMARY | {"run_id": run.run_id} | changes)
    (run.building / "evidence").mkdir()
    (run.building / "evidence" / "logs.parquet").write_bytes(b"PAR1")
    archive.seal(run.building, {"run_id": run.run_id})
    return archive.publish(run)


def test_a_run_is_named_by_its_start_and_chance(tmp_path):
    """Two runs of one second must not meet, and names must sort as their starts do."""
    assert archive.new_run_id(STARTED, lambda size: "ab" * size) == "20250907T101500Z-abab"
    assert archive.new_run_id(STARTED) != archive.new_run_id(STARTED)


def test_a_run_is_moved_to_its_place_in_one_rename(tmp_path):
    """Nobody may ever see half a run under a run's name."""
    run = folder(tmp_path)
    building = run.make()
    assert archive.list_runs(tmp_path) == []
    assert not run.place.exists()
    archive.seal(building, {})
    assert archive.publish(run) == run.place
    assert not building.exists()


def test_files_are_for_their_owner_alone(tmp_path):
    """Evidence of an outage holds what other users of the machine may not read."""
    for path in (found := published(tmp_path)).rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert stat.S_IMODE(found.stat().st_mode) == 0o700


def test_the_manifest_names_every_other_file(tmp_path):
    """A file that the manifest does not name could be lost or swapped, and nobody would know."""
    run = published(tmp_path)
    manifest = json.loads((run / "manifest.json").read_text())
    assert set(manifest["files"]) == {"summary.json", "evidence/logs.parquet"}
    assert manifest["files"]["evidence/logs.parquet"] == {
        "size": 4, "sha256": hashlib.sha256(b"PAR1").hexdigest(),
    }  # fmt: skip


@pytest.mark.parametrize("harm", ["flip", "cut", "remove", "link", "no manifest", "bad manifest"])
def test_a_changed_run_is_not_whole(tmp_path, harm):
    """Each way in which a disk or a hand changes a file has to show."""
    run = published(tmp_path)
    assert archive.is_whole(run)
    file, manifest = run / "evidence" / "logs.parquet", run / "manifest.json"
    {
        "flip": lambda: file.write_bytes(b"PAR2"),
        "cut": lambda: file.write_bytes(b"PAR"),
        "remove": file.unlink,
        "link": lambda: (file.rename(tmp_path / "elsewhere"), file.symlink_to(tmp_path / "elsewhere")),
        "no manifest": manifest.unlink,
        "bad manifest": lambda: manifest.write_text('{"files": ['),
    }[harm]()
    assert not archive.is_whole(run)
    assert archive.is_whole(run, contents=False) == (harm == "flip")


def test_what_a_link_points_to_is_left_alone(tmp_path):
    """A link in a run's folder must not let sealing change the modes of somebody else's file."""
    other = tmp_path / "other"
    other.write_text("not ours")
    other.chmod(0o644)
    run = folder(tmp_path / "outputs")
    (run.make() / "link").symlink_to(other)
    archive.seal(run.building, {})
    assert stat.S_IMODE(other.stat().st_mode) == 0o644
    assert json.loads((run.building / "manifest.json").read_text())["files"] == {}


def test_discarding_leaves_nothing(tmp_path):
    """An interrupted run leaves no empty folder behind, and no other run is touched."""
    alone = folder(tmp_path / "outputs")
    alone.make()
    alone.discard()
    assert not (tmp_path / "outputs").exists()
    kept, second = published(tmp_path / "outputs"), folder(tmp_path / "outputs", "0000")
    second.make()
    second.discard()
    assert archive.is_whole(kept)
    assert list(kept.parent.iterdir()) == [kept]


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    """The way out of a full or forbidden place is another place, so the message names the option."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError) as caught:
        folder(tmp_path / "file").make()
    assert str(caught.value) == (f"no run can be kept under '{tmp_path}/file' (Not a directory): give --outputs DIR")


def test_a_run_that_is_there_is_not_overwritten(tmp_path):
    """A whole run is never lost to a later one."""
    published(tmp_path)
    with pytest.raises(UsageError, match="run 20250907T101500Z-3f2a is there already under"):
        folder(tmp_path).make()


def test_list_runs_holds_whole_runs_newest_first(tmp_path):
    """What was interrupted, or is of another version, proves nothing and is not listed."""
    published(tmp_path, "0001")
    published(tmp_path, "0002", started="2025-09-07T11:00:00Z", status="ok", causes=[])
    published(tmp_path, "0003", schema=2)
    (published(tmp_path, "0004") / "evidence" / "logs.parquet").unlink()
    folder(tmp_path, "0005").make()
    found = archive.list_runs(tmp_path)
    assert [(run.run_id[-4:], run.status, run.cause) for run in found] == [
        ("0002", "ok", ""), ("0001", "failed", "startup-exception"),
    ]  # fmt: skip


def test_runs_table_fits_80_columns_whatever_is_in_it(tmp_path):
    """A service's name out of an old summary may not move the cursor of the terminal that shows it."""
    published(tmp_path, scope={"service": "\x1b[2J" + "x" * 200})
    text = archive.runs_table(archive.list_runs(tmp_path), STARTED + pd.Timedelta("48h"))
    assert "\x1b" not in text
    assert " 2d " in text
    assert max(map(len, text.splitlines())) <= 80


def test_an_unreadable_summary_is_said(tmp_path):
    """A run that is named and cannot be read is not passed over in silence."""
    run = published(tmp_path, schema=2)
    with pytest.raises(SourceError) as caught:
        archive.read_summary(run)
    assert str(caught.value) == (
        "run '20250907T101500Z-3f2a' has no summary.json of schema 1: it was changed; name another run"
    )


def test_json_takes_a_lone_surrogate(tmp_path):
    """A log line may hold half a character, and the run must be written all the same."""
    archive.write_json(tmp_path / "a.json", {"text": "x\udc80y"})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"text": "x\udc80y"}
