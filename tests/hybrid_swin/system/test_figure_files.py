"""Whatever users call their own is shown in a figure as it stands, in a file that can be read."""

import xml.etree.ElementTree as ElementTree

import pytest
from matplotlib.lines import Line2D
from matplotlib.text import Text

from hybrid_swin.system.figure_files import write_figure

HOSTILE = "a$\\frac$ & <b>--> \x1b[31m\x00\u202e\uffff ]]> 图"
SHOWN = "a$\\frac$ & <b>--> ?[31m???"


def draw_everywhere(figure):
    axes = figure.add_axes((0.3, 0.3, 0.5, 0.5))
    axes.plot([1, 1000], [0, 1], label=HOSTILE)
    axes.set_xscale("log")
    axes.set_yticks([0, 1], [HOSTILE, "plain"])
    axes.set_title(HOSTILE)
    axes.set_xlabel(HOSTILE)
    axes.text(0.5, 0.5, HOSTILE)
    figure.legend(handles=[Line2D([], [], label=HOSTILE)])
    figure.text(0, 0, HOSTILE)


@pytest.mark.parametrize("settings", ["", "text.usetex: true\nfont.size: 30\nsvg.fonttype: none\n"])
def test_hostile_labels_are_read_as_they_are(tmp_path, monkeypatch, settings):
    drawn = []
    monkeypatch.setattr(
        "matplotlib.backends.backend_svg.RendererSVG._draw_text_as_path",
        lambda self, gc, x, y, s, prop, angle, ismath, mtext=None: drawn.append((s, ismath)),
    )
    from matplotlib import rc_context

    (tmp_path / "matplotlibrc").write_text(settings)
    with rc_context(fname=tmp_path / "matplotlibrc"):
        assert write_figure(tmp_path / "a.svg", draw_everywhere)
    users = [ismath for text, ismath in drawn if text.startswith(SHOWN)]
    assert users == [False] * 6
    assert [text for text, _ in drawn if "frac" in text and not text.startswith(SHOWN)] == []
    assert any(ismath for text, ismath in drawn if "10^" in text)  # matplotlib's own


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_equal_figures_are_equal_files(tmp_path, kind):
    files = [tmp_path / f"{name}.{kind}" for name in "ab"]
    for file in files:
        assert write_figure(file, draw_everywhere)
    assert files[0].read_bytes() == files[1].read_bytes()
    if kind == "svg":
        root = ElementTree.parse(files[0]).getroot()  # noqa: S314  # our own
        assert root.tag.endswith("svg")


def test_nothing_drawn_is_no_file(tmp_path):
    assert not write_figure(tmp_path / "a.svg", lambda figure: figure.add_artist(Text(0, 0, "x")))

    def gives_up(figure):
        figure.add_axes((0, 0, 1, 1))
        return False

    assert not write_figure(tmp_path / "a.svg", gives_up)
    assert list(tmp_path.iterdir()) == []
