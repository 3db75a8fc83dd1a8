"""A straight line."""

from hybrid_swin.training.schedules import Schedule


class Linear(Schedule):
    """The learning rate falls by the same amount in each step, from its peak to its least.

    ::

        peak + (least - peak) * step / steps
    """

    def learning_rate(self, step: int, steps: int, peak: float, least: float) -> float:
        """The rate on the line."""
        return peak + (least - peak) * (step / steps)
