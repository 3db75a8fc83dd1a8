import dataclasses
import io

import pytest

from hybrid_swin.system.console import Console
from hybrid_swin.system.files import read_json
from search.comparison.report.end_page import print_end
from search.comparison.report.files import write_report
from search.comparison.results.conclusions import conclusions
from search.settings.comparison import ArmSettings

FILES = {
    "comparison.json",
    "comparison.csv",
    "comparison.md",
    "comparison.tex",
    "differences.svg",
}


@pytest.fixture(scope="module")
def made(fake, tmp_path_factory):
    return fake.Made(tmp_path_factory.mktemp("reported")).fill()


def test_all_files_say_the_same(made, tmp_path):
    comparison = made.read()
    write_report(comparison, made.plan, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == FILES
    told = read_json(tmp_path / "comparison.json")
    assert told["digest"] == comparison.digest()
    assert told["conclusions"] == conclusions(comparison)
    for sentence in told["conclusions"]:
        assert sentence in (tmp_path / "comparison.md").read_text()
    for name in FILES - {"comparison.json"}:
        text = (tmp_path / name).read_text()
        for arm in ("+mdta", "+mdta(attention=false)"):
            assert arm in text, name


def test_what_is_printed_names_the_files(made, tmp_path):
    out = io.StringIO()
    print_end(made.read(), tmp_path, Console(file=out, width=120))
    assert f"files   {tmp_path}: comparison.md" in out.getvalue()
    for result in made.read().results:
        assert result.arm in out.getvalue()


def test_a_numeric_factor_of_the_reach_task_is_drawn_with_what_is_known(fake, tmp_path):
    variant = {**fake.VARIANT, "image_size": 16, "num_classes": 2, "patch_size": 2}
    data = dataclasses.replace(
        fake.settings().data,
        source="constellation",
        options={"grid": 8, "cell": 2, "reach": 4, "train": 64, "validation": 64, "test": 64},
    )
    given = fake.settings(
        variant=variant,
        data=data,
        arms=(ArmSettings(), ArmSettings(label="conv", blocks=("conv",))),
        factors={"data.options.reach": [2, 4, 6]},
        learning_rates=(),
    )
    made = fake.Made(tmp_path / "made", given, skills={"base": 0.0, "w_msa": 0.0, "conv": 1.0})
    made.fill()
    write_report(made.read(), made.plan, tmp_path)
    drawn = (tmp_path / "by_reach.svg").read_text()
    assert "ceiling" in drawn and "conv" in drawn


def test_the_leaderboard_of_a_comparison_is_the_comparison(made, tmp_path, capsys):
    from search.cli.main import main

    picture = tmp_path / "forest.svg"
    assert main(["leaderboard", str(made.folder), "--svg", str(picture)]) == 0
    assert "+mdta" in capsys.readouterr().out and "<svg" in picture.read_text()
    assert main(["leaderboard", str(made.folder), "--format", "csv"]) == 0
    assert capsys.readouterr().out == made.read().to_csv()
