"""What papers report of a comparison's arms, to be judged beside its own numbers."""

import re
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from hybrid_swin.errors import InputError, quote
from hybrid_swin.spec.values import Range, check_numbers
from search.settings.names import check_label

# RFC 3986's characters (not those of other alphabets, which are written with %), without quotes
_URL = re.compile(
    r"https?://[A-Za-z0-9][A-Za-z0-9.:@-]*(?:[/?#][A-Za-z0-9._~:/?#@!$&()*+,;=%-]*)?", re.I
)
Order = Literal["better", "worse", "not_worse"]


@dataclass(frozen=True)
class ClaimSettings:
    """A published difference between two arms, or of one change of a factor.

    Args:
        source: paper and table, such as "Swin, Table 4".
        arm: label of an arm; or instead of it:
        factor: a factor, from its first level to ``level``, averaged over the arms that it changes
            and the other factors (the effects of `comparison.md`).
        level: the level that the factor is changed to.
        against: label of the arm that it is compared with: what it stands against in the table, or
            one of its controls; the former if left out.
        at: the cells in which it is judged, as {factor: level}; all of them if left out.
        difference: the arm minus the other, in percentage points for shares, in the metric's unit
            else; 0 says that the arms are equal.
        order: what is claimed if no size is published: the arm is better, worse, or not_worse.
        margin: differences below it count as none, in the unit of the difference; needed with
            difference 0 and with not_worse.
        sd: standard deviation over the published runs, if given; it is shown.
        n: how many runs were published, if given; it is shown.
        metric: what was measured, such as "ImageNet-1K top-1".
        url: where the source can be read.
    """

    clearable: ClassVar[tuple[str, ...]] = ("arm", "factor", "against", "metric", "url")

    source: str
    arm: str = ""
    factor: str = ""
    level: Any = None
    against: str = ""
    at: dict[str, Any] = field(default_factory=dict)
    difference: Annotated[float | None, Range(-1e6, 1e6)] = None
    order: Order | None = None
    margin: Annotated[float | None, Range(0, 1e6, open_below=True)] = None
    sd: Annotated[float | None, Range(0, 1e6)] = None
    n: Annotated[int | None, Range(1, 1_000_000)] = None
    metric: str = ""
    url: str = ""

    def __post_init__(self) -> None:
        check_numbers(self, "published.")
        for name in ("source", "metric", "url"):
            check_label(getattr(self, name), f"published: {name} of {self.subject}")
        if bool(self.arm) == bool(self.factor):
            both = "both arm and" if self.arm else "neither arm nor"
            raise InputError(
                f"published: the claim of {self.source!r} gives {both} factor; give the arm that "
                "it is about, or the factor and the level that it is changed to"
            )
        if self.factor and (self.against or self.at):
            raise InputError(
                f"published: against and at of {self.subject} belong to an arm; a factor is "
                "changed from its first level, in all cells"
            )
        if self.arm and self.level is not None:
            raise InputError(
                f"published: level {quote(self.level)} of {self.subject} belongs to a factor; give "
                "at: {factor: level} for the cells in which the arm is judged"
            )
        if (self.difference is None) == (self.order is None):
            both = "both" if self.order else "neither"
            raise InputError(
                f"published: the claim on {self.subject} gives {both} of difference and order; "
                "give difference if a size is published, else order: better, worse or not_worse"
            )
        if self.needs_margin and self.margin is None:
            claim = f"order: {self.order}" if self.order else "difference: 0"
            raise InputError(
                f"published: {claim} of {self.subject} needs margin: the largest difference that "
                "counts as none, such as 0.5"
            )
        if self.margin is not None and not self.needs_margin:
            raise InputError(
                f"published: margin {self.margin:g} of {self.subject} belongs to difference: 0 "
                "or order: not_worse; leave it out"
            )
        if self.url and not _URL.fullmatch(self.url):
            raise InputError(
                f"published: url of {self.subject} must begin with https://, name a host and hold "
                f"no spaces, quotes or brackets; got {quote(self.url)}"
            )

    @property
    def needs_margin(self) -> bool:
        """Whether the claim is that two arms are as good as each other, or one not worse."""
        return self.difference == 0 or self.order == "not_worse"

    @property
    def subject(self) -> str:
        """What the claim is about, in words for messages."""
        return f"factor {self.factor!r}" if self.factor else f"arm {self.arm!r}"

    @property
    def text(self) -> str:
        """What is claimed, in few characters: ``+4.9``, ``equal within 0.5``, ``better``."""
        margin = f" within {self.margin:g}" if self.margin is not None else ""
        if self.order is not None:
            return self.order.replace("_", " ") + margin
        return f"equal{margin}" if self.difference == 0 else f"{self.difference:+g}"
