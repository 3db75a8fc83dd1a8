import json

import pytest
import torch
from matplotlib.figure import Figure

from hybrid_swin.inspection.methods.confusion import Confusion
from hybrid_swin.inspection.methods.mistakes import Mistakes
from hybrid_swin.inspection.runner import save_figure
from hybrid_swin.inspection.subject import Subject


class Fixed(torch.nn.Module):
    """A network whose logits are the first pixels of an image."""

    num_classes = 3
    pretrained_cfg = {"mean": (0.5,), "std": (0.5,)}  # noqa: RUF012

    def forward(self, images):
        return images[:, 0, 0, :3]


@pytest.fixture
def subject():
    """Ten images of three classes; what is answered, and how surely, is in them."""

    def build(labels, answers, certain):
        images = torch.zeros(len(labels), 1, 4, 4)
        for index, (answer, logit) in enumerate(zip(answers, certain, strict=True)):
            images[index, 0, 0, answer] = logit
        names, ids = ("cat", "dog", "a" * 90), tuple(f"{n}.png" for n in range(len(labels)))
        return Subject(Fixed(), images, torch.tensor(labels), names, batch_size=3, ids=ids)

    return build


def drawn(inspection, numbers, tmp_path):
    json.dumps(numbers, allow_nan=False)
    figure = Figure()
    inspection.draw(numbers, figure)
    figure.canvas.draw()
    assert save_figure(inspection, numbers, tmp_path / "figure.png")
    return figure


def test_counts_and_shares_of_each_class(subject, tmp_path):
    numbers = Confusion().measure(subject([0, 0, 0, 1, 1], [0, 0, 1, 1, 2], [1] * 5))
    cat, dog = numbers["rows"]
    assert cat["answers"] == [2, 1, 0] and dog["answers"] == [0, 1, 1]
    assert (cat["recall"], cat["precision"]) == (pytest.approx(2 / 3), 1)
    assert dog["precision"] == 0.5
    assert 0 < cat["recall_low"] < 2 / 3 < cat["recall_high"] < 1
    (missing,) = numbers["undefined"]
    assert missing["reason"].endswith("no image among the 5; give more --images")
    assert numbers["summary"].startswith("3 of 5 right; most confused: cat as dog (1 of 3), dog as")
    texts = [text.get_text() for text in drawn(Confusion(), numbers, tmp_path).axes[0].texts]
    assert texts == ["2", "1", "1", "1"]


def test_the_surest_mistakes_come_first_with_their_images(subject, tmp_path):
    inspection = Mistakes(count=2)
    looked_at = subject([0, 0, 1, 2], [0, 1, 2, 0], [9, 3, 1, 5])
    numbers = inspection.measure(looked_at)
    assert [row["image"] for row in numbers["rows"]] == ["3.png", "1.png"]
    first = numbers["rows"][0]
    assert (first["class"], first["answer"]) == ("a" * 90, "cat")
    expected = torch.tensor([5.0, 0, 0]).double().softmax(dim=0)
    assert first["probability"] == pytest.approx(float(expected[0]))
    assert first["probability_of_class"] == pytest.approx(float(expected[2]))
    assert numbers["mistakes"] == 3
    assert numbers["summary"].startswith("3 of 4 wrong; surest: 3.png")
    figure = drawn(inspection, numbers, tmp_path)
    shown = figure.axes[0].images[0].get_array()
    assert shown[0, 0, 0] > shown[1, 1, 0]
    assert "aaa..." in figure.axes[0].get_title()
    assert not drawn(Mistakes(), numbers, tmp_path).axes[0].images  # of numbers alone


def test_without_mistakes_the_reason_is_said(subject):
    numbers = Mistakes().measure(subject([0, 1], [0, 1], [1, 1]))
    assert not numbers["rows"]
    assert "all 2 images are answered right" in numbers["undefined"][0]["reason"]
