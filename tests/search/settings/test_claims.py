import re

import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.system.schema import build_settings
from search.settings.comparison import ComparisonSettings

CLAIM = {"arm": "+mdta", "source": "A paper, Table 1", "difference": 1.1}


def settings(claim, **changes):
    return build_settings(ComparisonSettings, {"published": [claim], **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": None}, "published.0.source is empty; give a value"),
        ({"arm": ""}, "'A paper, Table 1' gives neither arm nor factor"),
        ({"factor": "stages"}, "gives both arm and factor"),
        ({"arm": "", "factor": "stages", "against": "base"}, "against and at of factor 'stages'"),
        ({"sauce": "x"}, "did you mean 'source'?"),
        ({"difference": None}, "neither of difference and order"),
        ({"order": "better"}, "both of difference and order"),
        ({"difference": None, "order": "bettr"}, "did you mean 'better'?"),
        ({"difference": 0}, "difference: 0 of arm '+mdta' needs margin"),
        ({"difference": None, "order": "not_worse"}, "order: not_worse of arm '+mdta' needs"),
        ({"margin": 0.5}, "margin 0.5 of arm '+mdta' belongs to difference: 0"),
        ({"difference": 0, "margin": 0}, "published.margin must be above 0; got 0"),
        ({"difference": float("nan")}, "published.0.difference must be a number; got nan"),
        ({"difference": 101}, "difference 101 of arm '+mdta' is more than 100 points"),
        ({"sd": -1}, "published.sd must be at least 0; got -1"),
        ({"n": 0}, "published.n must be at least 1; got 0"),
        ({"url": "arxiv.org"}, "url of arm '+mdta' must begin with https://"),
        ({"url": 'https://a b"><script>|'}, "hold no spaces, quotes or brackets; got 'https://a b"),
        ({"level": 3}, "level 3 of arm '+mdta' belongs to a factor; give at: {factor: level}"),
        ({"source": "two\nlines"}, "line breaks"),
    ],
)
def test_what_is_wrong_is_said(changes, message):
    with pytest.raises(InputError, match=re.escape(message)):
        settings(CLAIM | changes)


def test_a_size_has_the_unit_of_the_objective():
    loss = settings(CLAIM | {"difference": 101}, objective={"monitor": "val/loss", "mode": "min"})
    assert (loss.scale, settings(CLAIM).scale) == (1.0, 100.0)


def test_claims_change_nothing_that_a_folder_is_tied_to():
    assert settings(CLAIM).fixed() == ComparisonSettings().fixed()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "+1.1"),
        ({"difference": -2}, "-2"),
        ({"difference": 0, "margin": 0.5}, "equal within 0.5"),
        ({"difference": None, "order": "better"}, "better"),
        ({"difference": None, "order": "not_worse", "margin": 1}, "not worse within 1"),
    ],
)
def test_in_few_characters(changes, text):
    assert settings(CLAIM | changes).published[0].text == text
