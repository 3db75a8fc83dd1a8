"""Half a cosine."""

import math

from hybrid_swin.training.schedules import Schedule


class Cosine(Schedule):
    """The learning rate falls along half a cosine, from its peak to its least.

    ::

        least + (peak - least) * (1 + cos(pi step / steps)) / 2

    timm's ``CosineLRScheduler`` with ``warmup_prefix``, stepped at every update, as Microsoft's
    Swin uses it.

    Source: SGDR, 2016, https://arxiv.org/abs/1608.03983 (without restarts); timm/scheduler in
    https://github.com/huggingface/pytorch-image-models
    """

    def learning_rate(self, step: int, steps: int, peak: float, least: float) -> float:
        """The rate on the cosine."""
        return least + (peak - least) * (1 + math.cos(math.pi * (step / steps))) / 2
