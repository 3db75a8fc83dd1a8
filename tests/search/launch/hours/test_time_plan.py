"""What hours can be given for."""

import pytest

from hybrid_swin.errors import InputError
from search.launch.hours.time_plan import check_place
from search.settings.comparison import ComparisonSettings
from search.settings.study import StudySettings


@pytest.mark.parametrize("kind", [StudySettings, ComparisonSettings])
@pytest.mark.parametrize("name", ["agents", "ray", "slurm"])
def test_hours_elsewhere_are_refused_and_what_to_do_is_said(kind, name):
    number = {"StudySettings": "--trials", "ComparisonSettings": "--seeds"}[kind.__name__]
    with pytest.raises(InputError) as refused:
        check_place(kind(executor={"name": name}))
    said = str(refused.value)
    assert name in said and "--executor.name local" in said and " work FOLDER" in said
    assert said.endswith(number) and len(said) <= 300
    check_place(kind(executor={"name": "local"}))
