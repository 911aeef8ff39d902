"""Explored lives are lived again by the real pipeline on PostgreSQL, and end there as they were explored."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support.stories import tables_of_stories

from aegis_worker.domain.transitions import State
from aegis_worker.lab.embedded.stack import Stores
from aegis_worker.lab.explore.configurations import CONFIGURATIONS
from aegis_worker.lab.explore.explorer import Explorer
from aegis_worker.lab.explore.moves import Move, Step
from aegis_worker.lab.explore.search import Search
from aegis_worker.lab.plants import PLANTS, planted
from aegis_worker.lab.stories.books import LivedOtherwise
from aegis_worker.lab.stories.command import lived
from aegis_worker.lab.stories.file import BadStory, Story, read, written
from aegis_worker.lab.stories.installation import StoryTables
from aegis_worker.lab.stories.planted import found_out
from aegis_worker.lab.stories.replay import live_again, steps_of
from aegis_worker.lab.stories.telling import told

_MOST_MOVES = 150


@pytest.fixture(scope="module")
def tables(stores: Stores) -> Iterator[StoryTables]:
    with tables_of_stories(stores) as told_tables:
        yield told_tables


def a_life(explorer: Explorer, draw: random.Random, faults: int) -> list[Step]:
    """One of the lives with so many faults at most."""
    world, steps, left = explorer.begin(), list[Step](), faults
    while len(steps) < _MOST_MOVES and (ways := explorer.steps(world, left)):
        free, faulty = ([way for way in ways if bool(way.cost) is costs] for costs in (False, True))
        step = draw.choice(faulty if faulty and (not free or draw.random() < 0.25) else free)
        steps.append(step)
        world, left = step.world, left - step.cost
    return steps


def differences_of(tables: StoryTables, seeds: Sequence[int]) -> dict[str, list[str]]:
    """What is lived otherwise, by configuration and seed."""
    found = {}
    for seed in seeds:
        draw = random.Random(seed)
        name = draw.choice(list(CONFIGURATIONS))
        explorer = Explorer(CONFIGURATIONS[name])
        steps = a_life(explorer, draw, draw.choice((0, 1, 2, 3)))
        with tables.begun() as installation:
            otherwise = live_again(installation, CONFIGURATIONS[name], explorer.begin(), steps)
        if otherwise:
            found[f"{name} {seed}"] = otherwise
    return found


def test_explored_lives_end_in_the_real_pipeline_as_they_were_explored(tables: StoryTables) -> None:
    assert differences_of(tables, range(1, 9)) == {}


@pytest.mark.slow
def test_many_explored_lives_end_in_the_real_pipeline_as_they_were_explored(tables: StoryTables) -> None:
    assert differences_of(tables, range(1000, 1300)) == {}


def a_story_of_no_fence() -> Story:
    """The explorer's own, of a pipeline without its fence."""
    with planted(("no-fence",), in_model=True):
        search = Search(CONFIGURATIONS["one-step"], 1)
        search.run()
    found = search.explored.found[0]
    return Story(
        found.configuration,
        found.operation,
        found.faults,
        tuple(found.moves),
        tuple(found.violations),
        ("no-fence",),
    )


@pytest.mark.slow
def test_a_planted_faults_story_is_kept_in_a_file_told_and_lived_by_a_pipeline_with_the_same_fault(
    tables: StoryTables, tmp_path: Path
) -> None:
    story = a_story_of_no_fence()
    file = tmp_path / "story.json"
    file.write_text(written(story))
    assert read(file) == story
    life = lived(tables, read(file))
    assert life.otherwise == []
    assert life.breaks == list(story.violations)
    assert [line.split(".")[0].strip() for line in life.sentences] == [
        str(number) for number in range(1, len(story.moves) + 1)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", [plant.name for plant in PLANTS.values() if plant.faults < 2])
def test_every_planted_faults_story_is_lived_alike_by_a_pipeline_with_the_same_fault(
    tables: StoryTables, name: str
) -> None:
    story = found_out(PLANTS[name]).story
    assert story is not None
    life = lived(tables, story)
    assert life.otherwise == []
    assert set(life.breaks) <= set(story.violations)


# Two faults each, move by move, because finding them takes the explorer minutes (`aegis explore --plant NAME`).
TWO_FAULTS = {
    "no-send-deadline": [
        ("call", "a approves, and the answer is lost"),
        ("call", "a it does not show yet"),
        ("write", "written"),
        ("sleep", ""),
        ("check", "in time"),
        ("call", "a approves"),
    ],
    "refusal-of-a-repeat-believed": [
        ("call", "a approves, and the answer is lost"),
        ("call", "a it does not show yet"),
        ("call", "a refused the connection"),
        ("call", "b approves"),
    ],
}


@pytest.mark.parametrize("name", TWO_FAULTS)
def test_a_payment_is_charged_twice_by_a_pipeline_that_lacks_a_guard_which_takes_two_faults_to_need(
    tables: StoryTables, name: str
) -> None:
    with planted((name,), in_model=True):
        explorer = Explorer(CONFIGURATIONS["lagging"])
        steps = a_life_by(explorer, TWO_FAULTS[name])
    story = Story("lagging", "charge", 2, tuple(step.move for step in steps), ("charged twice",), (name,))
    assert lived(tables, story).otherwise == []
    assert sum(len(part.value.standing) for part in steps[-1].world.ledgers) == 2
    assert sum(step.cost for step in steps) == 2


# A charge's answer is lost, its look-up lags, and the repeat is frozen past its key's lifetime before its first byte.
FROZEN_REPEAT = [
    ("call", "a approves, and the answer is lost"),
    ("call", "a it does not show yet"),
    ("check", "in time"),
    ("sleep", ""),
    ("call", "a approves"),
    ("write", "written"),
]


def test_what_a_repeat_charges_that_was_frozen_past_its_keys_lifetime_is_found_and_given_back(
    tables: StoryTables,
) -> None:
    explorer = Explorer(CONFIGURATIONS["lagging"])
    found = [
        ("recheck", "it shows: Approved, and a_1"),
        ("call", "a it shows: Approved, and a_1"),
        ("call", "a gives it back"),
        ("call", "a it shows: Approved"),
        ("write", "written"),
    ]
    steps = a_life_by(explorer, [*FROZEN_REPEAT, *found])
    story = Story("lagging", "charge", 2, tuple(step.move for step in steps), (), ())
    assert lived(tables, story).otherwise == []
    end = steps[-1].world
    assert (end.rows.value.payment.state, end.rows.value.job) == (State.SUCCESS, None)
    assert [one.ref for part in end.ledgers for one in part.value.standing] == ["a_2"]


# A call comes later than its absence is believed, its repeat was refused, and nobody can ask for a day.
SILENT_TO_THE_END = [
    ("call", "a is later than the absence window"),
    ("call", "a not found"),
    ("call", "a declines for good"),
    ("recheck", "look-ups are down for a day"),
    *[("recheck", "look-ups are still down")] * 11,
]


def test_a_late_charge_that_nobody_could_ask_about_by_the_end_is_a_persons(tables: StoryTables) -> None:
    explorer = Explorer(CONFIGURATIONS["one-step"])
    asked_again = [("call", "a look-ups are still down")] * 4
    steps = a_life_by(explorer, [*SILENT_TO_THE_END, *asked_again, ("write", "written")])
    story = Story("one-step", "charge", 2, tuple(step.move for step in steps), (), ())
    assert lived(tables, story).otherwise == []
    rows = steps[-1].world.rows.value
    assert (rows.payment.state, rows.job and rows.job.status) == (State.FAILURE, "review")


def test_a_late_charge_that_nobody_could_ask_about_stays_where_no_person_is_told(tables: StoryTables) -> None:
    name, wrong = "silent-gateway-given-up", "I3: FAILURE, and charged: a a_2"
    with planted((name,), in_model=True):
        steps = a_life_by(Explorer(CONFIGURATIONS["one-step"]), SILENT_TO_THE_END)
    moves = tuple(step.move for step in steps)
    life = lived(tables, Story("one-step", "charge", 2, moves, (wrong,), (name,)))
    assert (life.breaks, life.otherwise) == ([wrong], [])
    assert lived(tables, Story("one-step", "charge", 2, moves, (wrong,), ())).breaks == []


BY_SCENARIO = {
    "confirm": [
        ("call", "a sends the payer away"),
        ("confirm", "1"),
        ("call", "a takes it, and the answer is lost"),
        ("call", "a it shows: Approved"),
    ],
    "refund-told": [
        ("call", "a does it"),
        ("takes back", "the refund b101 has failed after all"),
        ("event", "refund.failed of attempt 101"),
        ("call", "a it shows: Approved"),
    ],
    "cancel": [("call", "a approves"), ("order", "void"), ("call", "a does it")],
    "hold-ends-part": [
        ("order", "capture 700"),
        ("call", "a decides later"),
        ("call", "a decided: yes"),
        ("look", ""),
        ("call", "a its hold has ended, it shows: Approved"),
    ],
    "dispute-refund": [
        ("disputes", "needs_response"),
        ("dispute event", ""),
        ("dispute answer", "needs_response"),
        ("dispute noted", ""),
        ("disputes", "won"),
        ("dispute event", ""),
        ("dispute answer", "won"),
        ("dispute noted", ""),
        ("order", "refund 700"),
        ("call", "a does it"),
    ],
    "refund-waits": [
        ("order", "refund 700"),
        ("call", "a it is not settled yet"),
        ("sweep", ""),
        ("call", "a it is settled"),
        ("call", "a does it"),
    ],
    "refund-mixed-up": [
        ("call", "a does it"),
        ("takes back", "the refund b101 has failed after all"),
        ("call", "a it shows: Approved, but told by another payment's reference"),
        ("call", "a it shows: Approved"),
    ],
    "late-close": [
        ("call", "a sends the payer away"),
        ("call", "a is late"),
        ("call", "a the payer has paid, the late call has arrived, not found"),
        ("call", "a already paid, and answers 500"),
    ],
    "mixed-up": [
        ("call", "a approves, and gives another payment's reference"),
        ("call", "a it shows: Approved"),
    ],
}


@pytest.mark.parametrize("name", BY_SCENARIO)
def test_a_life_of_each_scenario_ends_in_the_real_pipeline_as_it_was_explored(
    tables: StoryTables, name: str
) -> None:
    explorer = Explorer(CONFIGURATIONS[name])
    steps = a_life_by(explorer, BY_SCENARIO[name])
    with tables.begun() as installation:
        assert live_again(installation, CONFIGURATIONS[name], explorer.begin(), steps) == []


def a_life_by(explorer: Explorer, signs: Sequence[tuple[str, str]]) -> list[Step]:
    """A life that comes by these moves, and between them goes the way on which nothing goes wrong."""
    world, steps, left = explorer.begin(), list[Step](), list(signs)
    while left:
        ways = explorer.steps(world, 2)
        kind, how = left[0]
        wanted = [way for way in ways if way.move.kind == kind and way.move.how == how]
        if kind == "sleep":
            wanted = [way for way in wanted if way.move.s > 590]
        free = [way for way in ways if not way.cost and way.move.kind not in ("claim", "order")] or ways
        if wanted and (kind != "write" or len(steps) > 12):
            del left[0]
        steps.append((wanted or free)[0])
        world = steps[-1].world
    return steps


def test_a_pipeline_that_has_the_guard_leaves_the_story(tables: StoryTables) -> None:
    story = a_story_of_no_fence()
    with planted(story.planted, in_model=True):
        explorer = Explorer(CONFIGURATIONS[story.configuration])
        begins, steps = explorer.begin(), steps_of(explorer, story.moves)
    with tables.begun() as installation:
        try:
            otherwise = live_again(installation, CONFIGURATIONS[story.configuration], begins, steps)
        except LivedOtherwise as left:
            otherwise = [str(left)]
    assert otherwise != []


def test_a_story_that_no_life_goes_through_is_refused_by_the_move_at_which_it_ends() -> None:
    explorer = Explorer(CONFIGURATIONS["one-step"])
    with pytest.raises(LivedOtherwise, match=r"move 2 \(write worker 1\)"):
        steps_of(explorer, [Move("claim", "worker 1"), Move("write", "worker 1")])


def test_a_file_that_is_no_story_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "no.json"
    file.write_text('{"moves": 3}')
    with pytest.raises(BadStory, match=r"no\.json"):
        read(file)


def test_a_story_is_told_in_numbered_sentences_with_times_and_one_name_for_each_worker() -> None:
    explorer = Explorer(CONFIGURATIONS["one-step"])
    moves = [
        Move("claim", "worker 1"),
        Move("decide", "worker 1"),
        Move("write", "worker 1", "written"),
        Move("check", "worker 1", "in time"),
        Move("call", "worker 1", "a approves, and the answer is lost"),
        Move("crash", "worker 1"),
        Move("time", s=91.0),
        Move("claim", "worker 1"),
        Move("decide", "worker 1"),
    ]
    steps = steps_of(explorer, moves)
    assert [" ".join(line.split()) for line in told(explorer.begin(), steps)] == [
        "1. 0.0 s worker 1 claims the job (process)",
        "2. 0.0 s worker 1 decides: process at a, attempt 1 under key …-p1",
        "3. 0.0 s worker 1 commits that",
        "4. 0.0 s worker 1 looks at the clock: in time",
        "5. 0.0 s worker 1 calls a under key …-p1: a approves, and the answer is lost",
        "6. 0.0 s worker 1 dies",
        "7. 0.0 s 91 s pass",
        "8. 91.0 s worker 2 claims the job (process)",
        "9. 91.0 s worker 2 decides: ask a what became of the process of attempt 1",
    ]
