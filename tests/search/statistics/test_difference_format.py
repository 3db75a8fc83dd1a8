from search.statistics.difference_format import interval_text, p_text, points, unit


def test_points():
    assert points(0.0123, "val/accuracy") == "+1.2"
    assert points(-0.0123, "val/accuracy", sign=False) == "-1.2"
    assert points(-0.0001, "val/accuracy") == "0.0"
    assert points(0.0123, "val/loss") == "+0.012"
    assert (unit("val/accuracy"), unit("val/loss")) == (" points", "")


def test_interval_text():
    assert interval_text(-0.011, 0.02, "val/accuracy") == "[-1.1, +2.0]"
    assert interval_text(None, None, "val/accuracy") == ""


def test_p_text():
    assert [p_text(p) for p in (None, 0.0, 0.0004, 0.012, 0.9999, 1.0)] == [
        "-",
        "<.001",
        "<.001",
        ".012",
        "1",
        "1",
    ]
