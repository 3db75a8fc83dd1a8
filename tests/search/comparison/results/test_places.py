"""Every caution on arms names their cells."""

import pytest

from search.comparison.results.conclusions import conclusions
from search.comparison.results.doubts import top_cautions

CELLS = ("preset=quick", "preset=small_images")


@pytest.mark.parametrize(
    ("change", "caution"),
    [
        ({"undertrained": True}, "Still improving when training ended, so left out: {}. Train"),
        ({"undertrained": None}, "whether training had ended, so left out: {}."),
        ({"state": "failed", "seeds": 4, "keys": tuple("abcde")}, "so left out: {}."),
        ({"at_chance": True, "chance": 0.1, "chance_of": "accuracy"}, "(accuracy 10.0%): {}."),
        ({"chosen_rates": (0.01,) * 5}, "may change the result: {}."),
    ],
)
def test_a_caution_names_the_cell(fake, change, caution):
    def made(*changed):
        arms = []
        for cell in CELLS:
            more = change if cell in changed else {}
            arms += [fake.arm("base", cell=cell), fake.arm("+conv", fake.versus(), cell=cell)]
            arms[-1] = fake.arm("+conv", fake.versus(), **{"cell": cell} | more)
        return fake.comparison(*arms)

    one, both = made(CELLS[1]), made(*CELLS)
    assert any(caution.format("+conv at preset=small_images") in c for c in top_cautions(one))
    assert any(caution.format("+conv in both cells") in c for c in top_cautions(both))
    assert "+conv at preset=small_images" in " ".join(conclusions(one))


def test_places_of_several_factors_are_kept_apart(fake):
    cells = [f"preset=quick, stem={stem}" for stem in ("patch", "conv", "none")]
    arms = []
    for cell in cells:
        young = {"undertrained": cell != cells[2], "cell": cell}
        arms += [fake.arm("base", cell=cell), fake.arm("+conv", fake.versus(), **young)]
    text = "so left out: +conv at preset=quick, stem=patch; +conv at preset=quick, stem=conv. Train"
    assert any(text in caution for caution in top_cautions(fake.comparison(*arms)))


def test_an_arm_that_guesses_beside_one_that_does_not_is_not_said_to_be_left_out(fake):
    guess = {"at_chance": True, "chance": 0.1, "chance_of": "accuracy"}
    alone = fake.comparison(fake.arm("base"), fake.arm("+conv", fake.versus(-0.3), **guess))
    (caution,) = [c for c in top_cautions(alone) if "guess without" in c]
    assert "left out" not in caution.replace("are not left out", "")
    both = fake.comparison(fake.arm("base", **guess), fake.arm("+conv", fake.versus(-0.3), **guess))
    (caution,) = [c for c in top_cautions(both) if "guess without" in c]
    assert caution.endswith("What two such arms differ by says nothing, so it is left out.")
