"""Fabricated comparisons: a real plan with made-up runs, and results made by hand."""

from dataclasses import replace

import numpy as np

from hybrid_swin.system.files import write_json_atomically
from search.comparison.design.plan import make_plan
from search.comparison.results.arm_result import ArmResult
from search.comparison.results.comparison import Comparison
from search.comparison.results.differences import Versus
from search.comparison.results.factor_effects import FactorEffect
from search.comparison.results.factor_questions import Change
from search.records.runs import RunResult
from search.records.settings import write_settings
from search.settings.comparison import ArmSettings, ComparisonSettings, MatchSettings

IMAGES, CLASSES = 200, 10
VARIANT = {
    "image_size": 8,
    "in_channels": 1,
    "num_classes": CLASSES,
    "patch_size": 1,
    "window_size": 4,
    "mlp_ratio": 2.0,
    "stages": [{"width": 96, "depth": 2, "num_heads": 3, "blocks": ["w_msa"]}],
}
ARMS = (
    ArmSettings(),
    ArmSettings(add="mdta", controls={"channel attention": "+mdta(attention=false)"}),
    ArmSettings(add="mdta(attention=false)"),
)
RECIPE, STEM = Change("recipe", "plain", "rich"), Change("stem", "patch", "conv")
SKILLS = {"base": 0.0, "+mdta": 1.5, "+mdta(attention=false)": 0.8}


def settings(**changes):
    base = {
        "name": "made",
        "variant": VARIANT,
        "recipe": {"epochs": 10},
        "arms": ARMS,
        "match": MatchSettings(by=("macs",), tolerance=0.1),
        "learning_rates": (0.001, 0.003),
    }
    return ComparisonSettings(**{**base, **changes})


class Made:
    """Writes the runs of a plan, with scores and predictions."""

    def __init__(self, folder, made=None, skills=SKILLS, noise=0.1, groups=()):
        self.folder, self.settings = folder, made or settings()
        self.plan = make_plan(self.settings)
        self.skills, self.noise = skills, noise
        self.groups = np.array(groups)  # of the test images
        self.rng = np.random.default_rng(0)
        self.ease = self.rng.normal(1.0, 1.5, IMAGES)
        self.seed_skill = self.rng.normal(0, 0.2, 20)
        folder.mkdir(parents=True, exist_ok=True)
        write_settings(folder, self.settings)

    def fill(self, skip=()):
        """All runs but those of the arms in ``skip``; the second learning rate is better."""
        done = set()
        for entry in self.plan.entries:
            if entry.arm in skip:
                continue
            for rate in range(len(entry.recipes)):
                for spec in self.plan.selections(entry, rate):
                    self.write(spec, 0.8 + 0.01 * rate)
            for spec in self.finals(entry):
                if spec.key not in done:
                    done.add(spec.key)
                    accuracy = self.predict(spec, self.skills[entry.arm])
                    self.write(spec, accuracy - 0.01, test={"test/accuracy": accuracy})
        return self

    def finals(self, entry):
        """The final runs of an arm, at its last learning rate."""
        rate = len(entry.recipes) - 1
        return [self.plan.final(entry, rate, seed) for seed in range(self.plan.seeds)]

    def predict(self, spec, skill):
        """Write the predictions of one run; returns their accuracy."""
        skill = skill + self.seed_skill[spec.seed_index] + self.rng.normal(0, self.noise)
        labels = np.arange(IMAGES) % CLASSES
        right = self.rng.random(IMAGES) < 1 / (1 + np.exp(-self.ease - skill))
        logits = np.eye(CLASSES)[np.where(right, labels, (labels + 1) % CLASSES)]
        path = self.folder / spec.key / "predictions.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        ids = np.array([f"image-{i}" for i in range(IMAGES)])
        np.savez(path, ids=ids, groups=self.groups, labels=labels, logits=logits)
        return float(right.mean())

    def write(self, spec, score, **changes):
        """One run, ended; ``changes`` replace fields of its result."""
        curve = (score or 0.0) * (1 - 0.8 * np.exp(-np.arange(1, 11) / 1.5))
        curve[-1] = score or 0.0
        told = {
            "key": spec.key,
            "attempt": 1,
            "state": "complete",
            "score": score,
            "epochs": 10,
            "epochs_planned": 10,
            "history": tuple(
                {"epoch": e + 1, "val/accuracy": float(v)} for e, v in enumerate(curve)
            ),
            "metrics": {"val/accuracy": score},
            "seconds": {"fit": 20.0},
            "latency": {"median_ms": 4.0 if spec.is_baseline else 5.0, "device": "cpu"},
            "peak_memory_mb": 100.0,
            "data_hash": "d",
            "split_hash": "s",
            "code_hash": "c",
            "validation_images": 200,
            "test_images": IMAGES,
            "test_groups": len(set(self.groups)),
        }
        result = RunResult(**{**told, **changes})
        write_json_atomically(self.folder / spec.key / "run.json", spec.to_dict())
        write_json_atomically(self.folder / spec.key / "result.json", result.to_dict())

    def read(self):
        return Comparison.from_folder(self.folder, self.plan)


def versus(difference=0.02, half=0.01, holm_p=0.001, against="base", cause="", **changes):
    """A difference made by hand; a tie where ``holm_p`` is .05 or more."""
    return Versus(
        **{
            "against": against,
            "cause": cause,
            "seeds": 5,
            "difference": difference,
            "low": difference - half,
            "high": difference + half,
            "covers": "seeds and images",
            "p_value": None if holm_p is None else holm_p / 4,
            "holm_p": holm_p,
            "better": 1.0,
            "better_low": 0.478,
            "better_high": 1.0,
            "detectable": 0.018,
            "family": 4,
            **changes,
        }
    )


def arm(name="+mdta", difference=None, controls=(), **changes):
    """An arm made by hand."""
    return ArmResult(
        **{
            "cell": "",
            "levels": {},
            "matching": "macs",
            "arm": name,
            "words": ("w_msa",),
            "against": "" if difference is None else difference.against,
            "state": "complete",
            "seeds": 5,
            "seeds_asked": 5,
            "chosen_rates": (0.003,) * 5,
            "learning_rates": (0.001, 0.003, 0.01),
            "rate_scores": {},
            "validation_mean": 0.9,
            "validation_low": 0.89,
            "validation_high": 0.91,
            "test_mean": 0.9 + (difference.difference or 0.0 if difference else 0.0),
            "test_low": 0.88,
            "test_high": 0.95,
            "test_covers": "seeds and images",
            "undertrained": False,
            "parameters": 23_400,
            "macs": 1_210_000,
            "residuals": {} if difference is None else {"macs": 0.003, "parameters": -0.12},
            "versus": difference,
            "controls": tuple(controls),
            **changes,
        }
    )


def comparison(*arms, **changes):
    """A comparison made by hand; the first arm is the baseline."""
    return Comparison(
        **{
            "name": "made",
            "monitor": "val/accuracy",
            "mode": "max",
            "baseline": "base",
            "factors": {},
            "matchings": ("macs",),
            "seeds": 5,
            "choose_rate": "per_seed",
            "milestone": None,
            "equivalence": None,
            "primary": (),
            "planned": (5,),
            "looked": (5,),
            "level": 0.05,
            "orphans": 0,
            "family": 4,
            "pending": 0,
            "mixed": (),
            "results": arms,
            **changes,
        }
    )


def effect(question="alone", difference=0.02, *, of=RECIPE, **changes):
    """An effect of a factor, or of two changes together."""
    made = FactorEffect(
        question=question,
        matching="macs",
        changes=(of,) if question == "alone" else (of, STEM),
        versus=versus(difference, against=""),
        improving=False,
        guessing=False,
        macs=0.0,
    )
    return replace(made, **changes)
