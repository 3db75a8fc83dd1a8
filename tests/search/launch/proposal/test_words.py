"""What a proposal says of what its seeds can show."""

from search.launch.proposal.images import ImageCounts
from search.launch.proposal.words import resolution


def counts(test, groups=0):
    return ImageCounts(5, 650, 150, test, test, (), groups, 200, 200)


def test_more_seeds_and_images_find_smaller_differences():
    assert resolution(3, counts(12), 7).startswith(
        "3 seeds and 12 test images find, four times in five, a difference of 44 to 54 points"
    )
    assert "a difference of 4 to " in resolution(4, counts(230), 7)
    assert "test groups find" in resolution(4, counts(230, 50), 7)


def test_too_few_test_images_are_said():
    assert resolution(3, counts(3), 7) == (
        "3 seeds and 3 test images show no difference, however large: more test images are needed"
    )
