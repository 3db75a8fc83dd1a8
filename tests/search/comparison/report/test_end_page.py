import pytest

from hybrid_swin.system.console import Console
from search.comparison.report.end_page import print_end
from search.comparison.results.claims import JudgedClaim
from search.comparison.results.doubts import top_cautions
from search.leaderboard.end.layout import MOST_LINES
from search.records.time_limit import TimeLimit, write_time_limit
from search.settings.claims import ClaimSettings

GUESS = {"at_chance": True, "chance": 0.1, "chance_of": "accuracy"}


def printed(found, folder, width):
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        print_end(found, folder, console)
    return capture.get()


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("arms", [1, 20])
def test_it_fits_a_screen(fake, tmp_path, width, arms):
    control = fake.versus(0.01, holm_p=0.4, against="+b", cause="channel attention")
    rows = [
        fake.arm(f"+conv(kernel={n})+mdta", fake.versus(0.05), [control], undertrained=n > 2)
        for n in range(arms)
    ]
    text = printed(fake.comparison(fake.arm("base"), *rows, mixed=("code",)), tmp_path, width)
    lines = text.splitlines()
    assert sum(max(1, -(-len(line) // width)) for line in lines) <= MOST_LINES
    place = next(i for i, line in enumerate(lines) if line.startswith("all "))
    assert max(map(len, lines[:place])) <= width
    assert f"leaderboard {tmp_path} --all" in text and "comparison.md" in text
    assert ("more lines: --all" in text) == (arms > 3)
    assert ("not shown below" in text) == (width < 96)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("claims", [0, 6])
def test_effects_of_factors_leave_room_for_the_rest(fake, tmp_path, width, claims):
    of = ClaimSettings("A, Table 1", "+mdta", difference=1.1, metric="ImageNet-1K top-1")
    found = fake.comparison(
        fake.arm("base"),
        fake.arm("+mdta", fake.versus(0.05)),
        effects=[fake.effect()] * 3 + [fake.effect("instead")] * 3,
        published=[JudgedClaim(of, "+mdta against base", "", "macs", "base")] * claims,
    )
    text = printed(found, tmp_path, width)
    assert sum(max(1, -(-len(line) // width)) for line in text.splitlines()) <= MOST_LINES
    assert "base" in text
    if width == 120 and not claims:
        assert "recipe=rich instead of recipe=plain" in text
        assert "3 more effects: --all" in text and "effects.svg" in text


def test_arms_stand_before_controls_where_there_is_no_room_for_all(fake, tmp_path):
    control = fake.versus(0.01, holm_p=0.4, against="+b", cause="size")
    rows = [fake.arm(f"+a{n}", fake.versus(0.05), [control] * 3) for n in range(5)]
    text = printed(fake.comparison(fake.arm("base"), *rows), tmp_path, 80)
    assert "+a4" in text and text.count("against +b") < 15


@pytest.mark.parametrize(
    ("changes", "arm", "first"),
    [
        ({"pending": 2, "mixed": ("code",)}, {}, "2 trainings have not ended"),
        ({"damaged": ("x cannot be read",), "pending": 2}, {}, "1 file could not be read"),
        ({"cut": ("The time limit cut",), "pending": 2}, {}, "The time limit cut"),
        ({"mixed": ("code",)}, {"undertrained": True}, "Arms differ in their code"),
        ({"choose_rate": "once"}, {"undertrained": True}, "Still improving when training"),
        ({"matchings": ("none",)}, GUESS, "Not shown to be better on test than a guess"),
        ({"matchings": ("none",), "level": 0.01}, {}, "Costs were not matched, so size may"),
        ({"choose_rate": "once", "level": 0.01}, {}, "Several looks were taken"),
        ({"choose_rate": "once"}, {}, "One choice of learning rates served all seeds"),
        ({}, {}, "Costs were matched in one way"),
    ],
)
def test_the_worst_caution_comes_first(fake, changes, arm, first):
    whole = fake.arm("+mdta", fake.versus(0.05), **arm)
    found = top_cautions(fake.comparison(fake.arm("base"), whole, **changes))
    assert found[0].startswith(first)
    assert len(found) <= 3


def test_a_sound_comparison_has_none(fake):
    whole = fake.arm("+mdta", fake.versus(0.05))
    both = fake.comparison(fake.arm("base"), whole, matchings=("macs", "parameters"))
    assert top_cautions(both) == []


def test_seeds_that_the_time_limit_cost_are_told_and_change_no_file(fake, tmp_path):
    made = fake.Made(tmp_path / "arms", fake.settings(name="arms", seeds=2)).fill()
    before = made.read()
    write_time_limit(made.folder, TimeLimit(0.2, 0, 3, seeds=2))
    after = made.read()
    assert top_cautions(after)[0].startswith("The time limit cut the seeds from 3 to 2: 2 seeds")
    assert after.to_dict() == before.to_dict()
    assert after.digest() == before.digest()
