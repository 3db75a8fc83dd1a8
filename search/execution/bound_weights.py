"""The first weights that an experiment is tied to, which every machine must have at one path."""

from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.source.kept import kept_weights
from search.execution.run_folder import UnfitMachineError
from search.records.runs import RunSpec


class OtherWeightsError(UnfitMachineError):
    """This machine does not have the weights that the coordinator read."""


def check_weights(spec: RunSpec, expected: str) -> None:
    """Raise OtherWeightsError where a run's first weights are not those of the study.

    They are read here once in a process, and stay for the trainings that follow.

    Args:
        spec: the run; one that starts anew needs none.
        expected: the hash that the coordinator found; empty if unknown.
    """
    if not spec.init:
        return
    try:
        actual = kept_weights(spec.init, spec.weights_prefix).hash
    except InputError as error:
        raise OtherWeightsError(
            f"cannot read the first weights ({error}); copy the file there, or give init a path "
            "that all machines see"
        ) from error
    if expected and actual != expected:
        raise OtherWeightsError(
            f"has other first weights at {spec.init} than the study began with ({actual} instead "
            f"of {expected}); copy the study's file there"
        )
