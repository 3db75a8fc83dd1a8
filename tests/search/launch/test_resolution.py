import io

from hybrid_swin.system.console import Console
from search.launch.resolution import print_resolution, resolution_text
from search.statistics.looks import pocock_level
from search.statistics.power import detectable_difference


def printed(*given, **more):
    out = io.StringIO()
    print_resolution(*given, Console(file=out, width=1000), **more)
    return out.getvalue()


def test_one_seed_shows_nothing():
    told = printed(1, "finalists.seeds", 300)
    assert "no difference can be shown; give --finalists.seeds at least 3" in told
    assert "images" not in told


def test_the_smallest_difference_grows_with_the_questions():
    alone, among = printed(5, "seeds", None), printed(5, "seeds", None, questions=10)
    for told, level in ((alone, 0.05), (among, 0.005)):
        low, high = (100 * detectable_difference(5, 0, s, 0, level) for s in (0.005, 0.02))
        assert told.startswith(
            f"seeds      5 seeds find a true difference of {low:.1f} points four times in five if "
            f"noise is low (0.5 points between seeds), and one of {high:.1f} points if it is high "
            "(2 points between seeds)"
        )
    assert "; 10 differences are tested together" in among and "together" not in alone


def test_images_that_differ_limit_what_seeds_can_find():
    told = printed(10, "seeds", 360)
    expected = detectable_difference(10, 360, 0.02, 0.1**0.5)
    assert (
        f"one of {100 * expected:.1f} points if it is high (2 points between seeds, 10% of the "
        "test images judged differently)\n"
    ) in told
    assert expected > 2 * detectable_difference(10, 0, 0.02, 0)


def test_too_few_test_images_are_said():
    assert resolution_text(3, 3, 7) == (
        "3 seeds and 3 test images can show no difference, however large: more test images are "
        "needed"
    )
    assert "and none at all if it is high (2 points" in resolution_text(2, 300, 7)


def test_so_many_images_tell_an_accuracy_so_well():
    # Wilson: (.95 + k/2 +- sqrt(.95 .05 k + k^2 / 4)) / (1 + k), k = 1.96^2 / 1900
    told = printed(5, "seeds", 1900)
    assert "1,900 test images leave an accuracy this 95% interval: 80% [78.1, 81.7]" in told
    assert "95% [93.9, 95.9], 99% [98.4, 99.4]" in told


def test_groups_are_what_is_counted():
    assert "5 seeds and 40 groups of test images find" in printed(5, "seeds", 40, grouped=True)


def test_another_metric_is_no_share_of_images():
    told = printed(5, "seeds", 1900, monitor="val/f1")
    assert "val/f1 is not a share of images, and tests of it are over seeds alone" in told
    assert "points" not in told and "accuracy" not in told


def test_a_planned_look_pays_its_share():
    level = pocock_level((3, 5, 8))
    told = printed(3, "seeds", None, level=level)
    expected = detectable_difference(3, 0, 0.005, 0, level)
    assert f"; tested at {level:.2%} at this planned look" in told
    assert f"a true difference of {100 * expected:.1f} points" in told
