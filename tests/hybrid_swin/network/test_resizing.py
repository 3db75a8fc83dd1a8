import pytest
import torch

from hybrid_swin.network.resizing import (
    crop_table,
    offsets,
    resize_channels,
    resize_table,
    window_of_table,
    windows_of,
)
from hybrid_swin.network.windows import relative_position_index


def plane(window, slopes):
    """A table whose heads grow linearly along both axes."""
    y = torch.linspace(-1, 1, 2 * window[0] - 1)[:, None, None]
    x = torch.linspace(-1, 1, 2 * window[1] - 1)[None, :, None]
    return (slopes[0] * y + slopes[1] * x).flatten(0, 1)


def test_of_a_smaller_window_the_same_offsets_are_left():
    table = torch.randn(15 * 9, 3)
    cropped = crop_table(table, (8, 5), (3, 4))
    device = table.device
    here, there = (relative_position_index((3, 4), of, device) for of in ((3, 4), (8, 5)))
    assert cropped.shape == (5 * 7, 3) and torch.equal(cropped[here], table[there])


def test_heads_are_interpolated_each_by_itself():
    torch.manual_seed(0)
    table = torch.randn(169, 3)
    together = resize_table(table, (7, 7), (12, 12))
    assert together.shape == (23 * 23, 3)
    for k in range(3):
        alone = resize_table(table[:, k : k + 1], (7, 7), (12, 12))
        torch.testing.assert_close(together[:, k : k + 1], alone)


@pytest.mark.parametrize("after", [(12, 12), (4, 4), (8, 5), (7, 3), (1, 1), (2, 7)])
def test_the_axes_stay_apart_and_the_middle_stays(after):
    slopes = torch.tensor([[1.0, 0.0, 2.0], [0.0, 3.0, -1.0]])
    table = resize_table(plane((7, 7), slopes), (7, 7), after)
    assert table.shape == (offsets(after), 3)
    rows, columns = 2 * after[0] - 1, 2 * after[1] - 1
    grid = table.unflatten(0, (rows, columns))
    torch.testing.assert_close(grid[rows // 2, columns // 2], torch.zeros(3), atol=1e-6, rtol=0)
    assert torch.allclose(grid[..., 0], grid[:, :1, 0], atol=1e-6)  # head 0 varies along y only
    assert torch.allclose(grid[..., 1], grid[:1, :, 1], atol=1e-6)  # head 1 along x only
    if rows > 1:
        assert (grid.diff(dim=0)[..., 0] > 0).all()
    if columns > 1:
        assert (grid.diff(dim=1)[..., 1] > 0).all()


def test_interpolation_is_bicubic():
    """A table of one bump against the kernel of Keys with a = -0.75, written out."""
    table = torch.zeros(25, 1)
    table[12] = 1  # the middle of 5 x 5: a window of 3
    resized = resize_table(table, (3, 3), (5, 5)).view(9, 9)

    def weight(distance):
        a, t = -0.75, abs(distance)
        if t <= 1:
            return (a + 2) * t**3 - (a + 3) * t**2 + 1
        return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0

    line = torch.tensor([weight((i + 0.5) * 5 / 9 - 0.5 - 2) for i in range(9)])
    torch.testing.assert_close(resized, line[:, None] * line[None, :])


def test_half_precision_is_interpolated_in_single():
    table = torch.randn(169, 2).half()
    resized = resize_table(table, (7, 7), (12, 12))
    assert resized.dtype == torch.float16
    expected = resize_table(table.float(), (7, 7), (12, 12))
    torch.testing.assert_close(resized.float(), expected, atol=2e-3, rtol=0)


def test_offsets_and_windows_agree():
    for window in ((7, 7), (1, 1), (4, 6)):
        index = relative_position_index(window, window, torch.device("cpu"))
        assert index.max() + 1 == offsets(window)
        assert window in windows_of(offsets(window))
    assert [windows_of(n)[0] for n in (1, 9, 169, 529)] == [(1, 1), (2, 2), (7, 7), (12, 12)]
    assert windows_of(13 * 17) == ((7, 9), (9, 7), (1, 111), (111, 1))
    assert windows_of(0) == windows_of(168) == ()


@pytest.mark.parametrize(
    ("offsets", "ours", "told", "window"),
    [
        (169, (4, 4), None, (7, 7)),  # nothing is told: square
        (221, (7, 9), None, (7, 9)),  # or as the model's
        (221, (4, 4), None, None),  # 7x9 or 9x7
        (221, (9, 7), (7, 9), (7, 9)),  # what is told goes first
        (169, (4, 4), (7, 9), (7, 7)),  # shrunk to a map of 7x7
        (9 * 23, (4, 4), (8, 12), (5, 12)),  # of 5x20
        (9 * 19, (4, 4), (12, 12), None),  # of 5x10 or 10x5
        (9 * 19, (10, 5), (12, 12), (10, 5)),
        (81, (2, 14), (5, 5), (5, 5)),
        (221, (4, 4), (2, 2), None),  # it cannot be so
        (168, (4, 4), (7, 9), None),
    ],
)
def test_the_window_of_a_table(offsets, ours, told, window):
    assert window_of_table(offsets, ours, told) == window


def test_one_channel_sees_a_grey_image_as_three_saw_it():
    weight, grey = torch.randn(5, 3, 4, 4), torch.randn(2, 1, 8, 8)
    expected = torch.conv2d(grey.expand(-1, 3, -1, -1), weight, stride=4)
    one = resize_channels(weight, 1)
    assert one.shape == (5, 1, 4, 4)
    torch.testing.assert_close(torch.conv2d(grey, one, stride=4), expected)


def test_other_channels_repeat_in_order_and_keep_the_scale():
    weight = torch.randn(5, 3, 2, 2)
    four, two, six = (resize_channels(weight, n) for n in (4, 2, 6))
    torch.testing.assert_close(four, weight[:, [0, 1, 2, 0]] * 3 / 4)
    torch.testing.assert_close(two, weight[:, :2] * 3 / 2)
    torch.testing.assert_close(six.sum(dim=1), weight.sum(dim=1))
    torch.testing.assert_close(resize_channels(weight[:, :1], 3).sum(1), weight[:, 0])
