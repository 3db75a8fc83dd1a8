"""Reserved words as people spell them: what is taken, what could mean two things, what is a slip.

A word of the user's that is nearly a reserved one must not silently become something else: a folder
'Trainig' is not a class, a column 'spilt' is not to be passed over. One table for each kind of
word.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from hybrid_swin.errors import InputError, quote

_NEAR = 0.75  # share of letters in common, in order, from which a word counts as a slip
_FILLERS = ("set", "data", "split", "dataset", "folder", "images", "imgs")


@dataclass(frozen=True)
class Words:
    """The reserved words of one kind.

    Args:
        kind: in messages, such as 'split'.
        meanings: spelling, simplified as by ``simplify``, and the reserved word that it means.
        ambiguous: spelling, and the reserved words that it could mean.
        inside: reserved words that no longer word holds by chance.
        exact: further spellings, too short or too common to look for slips of them.
        fillers: words that say nothing: alone they are not a slip.
    """

    kind: str
    meanings: Mapping[str, str]
    ambiguous: Mapping[str, str] = field(default_factory=dict)
    inside: tuple[str, ...] = ()
    exact: Mapping[str, str] = field(default_factory=dict)
    fillers: tuple[str, ...] = ()

    def meaning(self, word: str) -> str | None:
        """The reserved word that is meant, or None. A year or number behind it does not matter."""
        simple = simplify(word)
        known = {**self.meanings, **self.exact}
        return known.get(simple) or known.get(simple.rstrip("0123456789"))

    def is_near(self, word: str) -> bool:
        """Whether it is a slip or could mean two things: refused rather than taken or ignored."""
        return self.meaning(word) is None and (
            simplify(word) in self.ambiguous or self.nearest(word) is not None
        )

    def nearest(self, word: str) -> str | None:
        """The reserved word that one is probably a slip for, or None."""
        simple = simplify(word)
        only_fillers = self.fillers and re.fullmatch(f"(({'|'.join(self.fillers)})s?)+", simple)
        if simple in self.ambiguous or only_fillers:
            return None
        for reserved in self.inside:
            if reserved in simple:
                return reserved
        alike = {
            known: likeness(simple, known) for known in self.meanings if _may_be_near(simple, known)
        }
        close = max(alike, key=lambda known: (alike[known], known), default="")
        return self.meanings[close] if close and alike[close] >= _NEAR else None

    def read(self, word: str, where: str) -> str:
        """The reserved word that is meant. Raises InputError for a word that is none of these."""
        meaning = self.meaning(word)
        if meaning is None:
            raise self.refuse(word, where)
        return meaning

    def refuse(self, word: str, where: str) -> InputError:
        """The error for a word that is none of these."""
        meant = self.ambiguous.get(simplify(word))
        if meant is not None:
            return InputError(
                f"{where}: {self.kind} {quote(word)} can mean {meant}; write the one that you mean"
            )
        near = self.nearest(word)
        hint = f"; did you mean {near!r}?" if near else ""
        allowed = ", ".join(sorted(set(self.meanings.values())))
        return InputError(f"{where}: unknown {self.kind} {quote(word)}{hint} (known: {allowed})")


def simplify(word: str) -> str:
    """Letters and digits only, in lower case: 'Training_Set ' is 'trainingset'."""
    folded = unicodedata.normalize("NFKC", word).casefold()
    return re.sub(r"[\W_]+", "", folded)


def likeness(one: str, other: str) -> float:
    """How alike two words are, 1 where they have the same letters in any order.

    2 m / (len(one) + len(other)),  m: letters of matching blocks
    """
    if not one or not other:
        return 0.0
    if sorted(one) == sorted(other):  # the same letters: 'spilt' is nearer to 'split' than 'spit'
        return 1.0
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def _may_be_near(one: str, other: str) -> bool:
    """Whether their lengths alone let them be so alike."""
    return 2 * min(len(one), len(other)) >= _NEAR * (len(one) + len(other))


def _with_fillers(words: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Each spelling, alone and with 'set', 'data', ... behind or before it."""
    meanings = {}
    for meaning, spellings in words.items():
        for word in spellings:
            meanings[word] = meaning
            for filler in _FILLERS:
                meanings[word + filler] = meanings[filler + word] = meaning
    return meanings


_EITHER = "validation or test"

# How other programs write that there is no value, in lower case.
_MISSING = frozenset(
    (
        *("nan", "na", "n/a", "n.a.", "<na>", "null", "<null>", "none", "nil", "nat", "undefined"),
        *("-", "--", "---", "?", "??", ".", "#n/a", "#na", "#null!", "#ref!", "#value!", "#name?"),
        *("#div/0!", "#num!", "#n/a n/a", "-nan", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"),
    )
)
_IN_BRACKETS = frozenset({"blank", "blanks", "empty", "missing", "not set", "no value"})
_BRACKETS = "()[]<>{}"
_NO_LABEL = frozenset(
    ("unlabeled", "unlabelled", "notlabeled", "notlabelled", "nolabel", "nolabels", "unannotated")
)
_NO_GROUP = frozenset(
    {"unknown", "missing", "notavailable", "notknown", "unassigned", "empty", "nogroup"}
)


def is_no_value(cell: str) -> bool:
    """Whether other programs write an empty cell like this: 'nan', 'N/A', '????', '(blank)'."""
    plain = cell.strip().casefold()
    inner = plain.strip(_BRACKETS).strip()
    return (
        plain in _MISSING
        or re.fullmatch(r"[-?._\s\u2013\u2014]*", inner) is not None
        or (inner != plain and inner in _MISSING | _IN_BRACKETS)
    )


def is_no_label(label: str) -> bool:
    """Whether it says that there is no label: as an empty cell, or below 0.

    'unknown' may be a class (see ``is_doubtful_label``).
    """
    negative = re.fullmatch(r"-\d+(\.0*)?", label.strip()) is not None
    return negative or is_no_value(label) or simplify(label) in _NO_LABEL


def is_doubtful_label(label: str) -> bool:
    """Whether it is a class only for those who say so: 'unknown', 'missing'."""
    return simplify(label) in _NO_GROUP - {"empty", "nogroup"}


def is_no_group(group: str) -> bool:
    """Whether it says that no group is known, so that the images would become one group."""
    plain = group.strip()
    return is_no_value(group) or plain in ("-1", "-1.0") or simplify(group) in _NO_GROUP


def without_split(name: str) -> tuple[str, str]:
    """The split's word before or behind a name, and the rest: 'train_cat' is ('train', 'cat').

    ('', '') if there is none.
    """
    simple = simplify(name)
    for word in sorted({*SPLITS.meanings, *SPLITS.ambiguous}, key=len, reverse=True):
        for rest in (simple.removeprefix(word), simple.removesuffix(word)):
            if rest not in (simple, ""):
                return word, rest
    return "", ""


def folded(name: str) -> str:
    """A name without what only spelling changes: 'P-03', 'p_3' and 'P 3 ' become 'p 3'.

    Case, marks between words, zeros before a number, an empty decimal ('1.0') and the way in which
    letters with accents are stored do not matter; a mark before or behind all does ('-1', 'A+').
    """
    text = unicodedata.normalize("NFKC", name).casefold().strip()
    text = re.sub(r"^([+-]?\d+)\.0*$", r"\1", text)
    text = re.sub(r"(?<![\d.])0+(?=\d)", "", text)
    text = re.sub(r"(?<=[^\W_])[\W_]+(?=[^\W_])", " ", text)
    return " ".join(text.split()) or name


#: Parts of the images. 'dev' is taken for validation, as in benchmarks of language; what one
#: library calls 'eval' is another's test.
SPLITS = Words(
    "split",
    _with_fillers(
        {
            "train": ("train", "training", "trn"),
            "validation": ("validation", "valid", "val", "validate", "validating", "dev"),
            "test": ("test", "testing", "tst", "privatetest"),
        }
    ),
    _with_fillers(
        {
            _EITHER: ("eval", "evaluation", "evaluate", "holdout", "heldout", "publictest"),
            "train or validation": ("development", "tuning", "tune", "trainval", "trainvalidation"),
        }
    ),
    fillers=(*_FILLERS, "image", "img", "file"),
)

# What images may belong together by.
_GROUPS = (
    *("group", "groups", "groupid", "groupids", "patient", "patients", "patientid", "patientids"),
    *("subject", "subjects", "subjectid", "subjectids"),
    *("participant", "participants", "participantid", "participantids"),
)
_NUMBERED = ("number", "numbers", "code", "codes", "key", "identifier", "uid", "name")
_SHORT_GROUPS = (
    *(who + what for who in ("patient", "subject", "participant", "donor") for what in _NUMBERED),
    *("casenumber", "casenumbers", "medicalrecordnumber", "medicalrecordnumbers"),
    *("pid", "pids", "subj", "subjid", "caseid", "caseids", "mrn", "mrns"),
    *("donor", "donors", "donorid", "donorids"),
    *(what + end for what in ("scene", "slide", "video", "clip") for end in ("", "s", "id", "ids")),
    *("userid", "userids", "personid", "personids"),
)

#: Columns of a table of images.
COLUMNS = Words(
    "column",
    {
        **dict.fromkeys(
            ("path", "paths", "file", "files", "filename", "filepath", "imagepath"), "path"
        ),
        **dict.fromkeys(("label", "labels", "classlabel"), "label"),
        **dict.fromkeys(("split", "splits", "subset", "partition"), "split"),
        **dict.fromkeys(_GROUPS, "group"),
    },
    inside=("split", "group"),
    exact=dict.fromkeys(_SHORT_GROUPS, "group"),
)

#: What the arrays of a split hold.
ARRAYS = Words(
    "array",
    {
        **dict.fromkeys(("images", "image", "imgs", "img", "x"), "images"),
        **dict.fromkeys(("labels", "label", "y", "targets", "target", "classes"), "labels"),
        **dict.fromkeys(_GROUPS, "groups"),
    },
    exact=dict.fromkeys(_SHORT_GROUPS, "groups"),
)

#: Folders, simplified, that hold images beside their masks, and these: not a class each.
IMAGE_FOLDERS = frozenset(("image", "images", "img", "imgs", "jpegimages", "imagefiles"))
MASK_FOLDERS = frozenset(
    (
        *("label", "labels", "mask", "masks", "annotation", "annotations", "groundtruth", "gt"),
        *("segmentation", "segmentations", "segmentationclass", "target", "targets"),
    )
)
