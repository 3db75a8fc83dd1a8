"""No change."""

from hybrid_swin.training.schedules import Schedule


class Constant(Schedule):
    """The learning rate stays at its peak, as averaged weights allow it."""

    unused = ("min_learning_rate",)

    def learning_rate(self, step: int, steps: int, peak: float, least: float) -> float:
        """The peak."""
        return peak
