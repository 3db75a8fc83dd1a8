import io

from hybrid_swin.system.console import Console
from search.launch.resolution import print_resolution
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
        expected = detectable_difference(5, 0, 0.01, 0, level)
        assert f"{100 * expected:.1f} (at 1)" in told
    assert "among 10 differences" in among and "among" not in alone


def test_images_that_differ_limit_what_seeds_can_find():
    told = printed(10, "seeds", 360)
    expected = detectable_difference(10, 360, 0.005, 0.1**0.5)
    assert f"{100 * expected:.1f} (at 0.5 and 10%)" in told
    assert expected > 3 * detectable_difference(10, 0, 0.005, 0)


def test_so_many_images_tell_an_accuracy_so_well():
    # Wilson: (.95 + k/2 +- sqrt(.95 .05 k + k^2 / 4)) / (1 + k), k = 1.96^2 / 1900
    told = printed(5, "seeds", 1900)
    assert "1,900 test images tell one accuracy no better than: of 80% [78.1, 81.7]" in told
    assert "of 95% [93.9, 95.9], of 99% [98.4, 99.4]" in told


def test_groups_are_what_is_counted():
    assert "5 seeds and 40 groups of test images find" in printed(5, "seeds", 40, grouped=True)


def test_another_metric_is_no_share_of_images():
    told = printed(5, "seeds", 1900, monitor="val/f1")
    assert "val/f1 is not a share of images, and tests of it are over seeds alone" in told
    assert "points" not in told and "accuracy" not in told


def test_a_planned_look_pays_its_share():
    level = pocock_level((3, 5, 8))
    told = printed(3, "seeds", None, level=level)
    expected = detectable_difference(3, 0, 0.01, 0, level)
    assert f"at this look ({level:.2%} over all of them)" in told
    assert f"{100 * expected:.1f} (at 1)" in told
