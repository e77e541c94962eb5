"""Compaction as a function: for a schedule, or an administrator."""

from random import Random

from ai_gateway.contract import Event
from ai_gateway.manifest.model import Route
from ai_gateway.records import Records
from functions import compact
from tests.judge.conftest import HandClock, World, manifest

ROUTE = Route(path="/admin/compact", function="functions.compact:handle")


def test_what_was_merged_is_told_and_a_held_lease_too(tmp_path) -> None:
    """The reply counts files; while another process compacts, nothing is done and it says so."""
    event = Event("r", ROUTE, "TICK", ROUTE.path, received_at=0.0)
    clock = HandClock()
    with Records.open(str(tmp_path / "data"), tmp_path / "wal", clock, background=False) as records:
        context = World(records, clock, manifest(), Random(1)).context(None)
        assert compact.handle(event, context).body == {
            "held": False,
            "written": 0,
            "deleted": 0,
            "repeated": 0,
        }
        with records.lease("compact", "another", 60):
            assert compact.handle(event, context).body == {"held": True}
