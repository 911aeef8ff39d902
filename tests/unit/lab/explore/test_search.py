"""Searching: lives are counted, the shortest counterexample is told whole, and an exploration goes on from its file."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from msgspec.structs import replace

from aegis_worker.lab.explore import claiming, version
from aegis_worker.lab.explore import explorer as explorer_module
from aegis_worker.lab.explore.checkpoint import BadCheckpoint, load, save
from aegis_worker.lab.explore.configurations import CONFIGURATIONS
from aegis_worker.lab.explore.explorer import Explorer
from aegis_worker.lab.explore.graph import ROOT, Graph, counted, in_order
from aegis_worker.lab.explore.moves import Move, Step
from aegis_worker.lab.explore.rows import JobRow
from aegis_worker.lab.explore.search import Search
from aegis_worker.lab.explore.world import World

PAYER, LATER = CONFIGURATIONS["payer"], CONFIGURATIONS["decides-later"]


def walked(explorer: Explorer, world: World) -> int:
    """How many lives there are without a fault, each of them walked."""
    following = [step.world for step in explorer.steps(world, 0)]
    return sum(walked(explorer, after) for after in following) if following else 1


def replayed(search: Search) -> Step:
    """The last step of the life that was found."""
    explorer, world, left = Explorer(search.configuration), search.explorer.begin(), search.faults
    step = None
    for move in search.explored.found[0].moves:
        step = next(one for one in explorer.steps(world, left) if one.move == move)
        world, left = step.world, left - step.cost
    assert step is not None
    return step


def any_job_is_due(job: JobRow | None, now: float) -> bool:
    return job is not None and job.status != "review" and job.run_at <= now


def test_lives_are_counted_as_if_each_were_walked() -> None:
    search = Search(PAYER, 0)
    search.run()
    assert search.explored.sequences == walked(search.explorer, search.explorer.begin())


def test_more_lives_than_64_bits_count_are_counted_exactly_and_kept_in_a_file(tmp_path: Path) -> None:
    graph, forks = Graph(), 70
    for number in range(2 * forks + 1):
        graph.reach(number.to_bytes(16, "big"), ROOT, Move("begin"), 0)
    for number in range(0, 2 * forks, 2):  # one way leads on at once, the other by the moment in between
        graph.expanded(number, [(number + 1, 1, 0), (number + 2, 1, 0)])
        graph.expanded(number + 1, [(number + 2, 1, 0)])
    graph.is_end[2 * forks] = 1
    lives, longest = counted(graph, in_order(graph)[0], 0)
    assert (lives, longest) == (2**forks, 2 * forks)
    search = Search(PAYER, 0)
    search.explored.sequences = lives
    save(search, tmp_path / "payer.explored")
    assert load(tmp_path / "payer.explored", PAYER, 0).explored.sequences == lives


def test_claims_that_ignore_leases_are_found_and_the_story_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (claiming, explorer_module):
        monkeypatch.setattr(module, "is_due", any_job_is_due)
    search = Search(CONFIGURATIONS["one-step"], 0)
    search.run()
    assert [move.kind for move in search.explored.found[0].moves] == ["claim", "claim"]
    assert replayed(search).wrong == ("D2: it is claimed while the lease of another worker lasts",)


def test_an_exploration_that_was_stopped_comes_to_the_same_from_its_file(tmp_path: Path) -> None:
    whole, stopped, file = Search(LATER, 0), Search(LATER, 0), tmp_path / "later.explored"
    looked = count()
    assert not stopped.run(lambda: next(looked) >= 1)
    save(stopped, file)
    resumed = load(file, LATER, 0)
    assert len(resumed.graph) == len(stopped.graph) > 30
    assert whole.run()
    assert resumed.run()
    for name in ("states", "transitions", "sequences", "depth", "ends", "marked", "complete", "found"):
        assert getattr(resumed.explored, name) == getattr(whole.explored, name), name


def test_a_file_that_holds_no_exploration_or_another_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "one-step.explored"
    file.write_bytes(b"nonsense")
    with pytest.raises(BadCheckpoint, match="holds no exploration"):
        load(file, PAYER, 1)
    save(Search(CONFIGURATIONS["one-step"], 0), file)
    with pytest.raises(BadCheckpoint, match="is of one-step with 0 faults"):
        load(file, PAYER, 1)


def test_a_file_of_a_configuration_that_has_changed_since_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "payer.explored"
    save(Search(PAYER, 0), file)
    assert load(file, PAYER, 0).configuration == PAYER
    other = replace(PAYER, lease_s=PAYER.lease_s + 1)
    with pytest.raises(BadCheckpoint, match="another version of the product or of payer: begin anew"):
        load(file, other, 0)


def test_a_file_of_a_product_that_decides_by_other_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "payer.explored"
    save(Search(PAYER, 0), file)
    code = tmp_path / "pipeline" / "advance.py"
    code.parent.mkdir()
    code.write_text("# decides otherwise\n")
    monkeypatch.setattr(version, "PRODUCT", tmp_path)
    version.of_code.cache_clear()
    try:
        with pytest.raises(BadCheckpoint, match="another version of the product"):
            load(file, PAYER, 0)
    finally:
        version.of_code.cache_clear()


def test_a_moment_that_is_reached_with_fewer_faults_later_is_looked_at_with_those_that_are_left() -> None:
    graph = Graph()
    graph.reach(b"begin", 0, Move("begin"), 0)
    other = graph.reach(b"other", 0, Move("claim", "worker 1"), 0)
    assert other is not None
    reached = graph.reach(b"moment", 0, Move("crash", "worker 1"), 1)
    assert graph.reach(b"moment", other, Move("wake", "worker 1"), 0) == reached
    assert graph.reach(b"moment", 0, Move("lock"), 0) is None
    assert reached is not None
    assert graph.moves_to(reached) == [Move("claim", "worker 1"), Move("wake", "worker 1")]
