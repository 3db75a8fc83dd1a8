"""Class names that are one to the eye; test_splits.py and data/test_folder.py hold the others."""

import pytest
from PIL import Image

from hybrid_swin.data.class_names import check_surplus
from hybrid_swin.data.loading import load_data
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError


def test_classes_under_two_spellings_are_named_before_the_count(tmp_path):
    names = ("Circle ", "circle", "square", "star")
    rows = [f"{index}.png,{names[index % 4]}" for index in range(24)]
    for index in range(24):
        Image.new("L", (4, 4), 10 * index).save(tmp_path / f"{index}.png")
    (tmp_path / "table.csv").write_text("\n".join(["path,label", *rows]))
    settings = DataSettings("folder", {"csv": str(tmp_path / "table.csv")})
    data = load_data(settings, (4, 4), 1, None)
    data.check_classes(4)
    with pytest.raises(InputError, match="'Circle' and 'circle' differ only in case: write each"):
        data.check_classes(3)
    with pytest.raises(InputError, match="set num_classes: 4 in the variant"):
        data.check_classes(2)  # spelling alone does not explain it


def test_other_spellings_and_more_than_one():
    names = ("a-b", "a_b", "Dog", "dog")
    with pytest.raises(InputError, match=r"spelling, and 1 more likewise: .* num_classes: 4"):
        check_surplus(names, 2)
    check_surplus(("a", "b", "c"), 2)
