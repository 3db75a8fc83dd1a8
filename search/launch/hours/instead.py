"""What makes an experiment shorter, for the message that it takes too long."""

from hybrid_swin.spec.recipe import Recipe
from search.launch.hours.time_plan import LEAST_SEEDS
from search.settings.experiment import ExperimentSettings

_SMALLEST, _SHORTEST = 16, 20  # pixels and epochs that are not halved any more


def shorter_settings(settings: ExperimentSettings, seeds: int, setting: str) -> str:
    """Options to give instead of more hours, the most effective first.

    Args:
        settings: the study or comparison.
        seeds: that it has.
        setting: where they stand.
    """
    size = settings.variant.get("image_size")
    side = size[0] if isinstance(size, list | tuple) else size
    ways = []
    if isinstance(side, int) and side >= 2 * _SMALLEST and settings.data.source == "folder":
        ways.append(f"a smaller image size: --variant.image_size {side // 2}")
    epochs = settings.recipe.get("epochs", Recipe.epochs)
    if isinstance(epochs, int) and epochs >= _SHORTEST:
        ways.append(f"fewer epochs: --recipe.epochs {epochs // 2}")
    if seeds > LEAST_SEEDS:
        ways.append(f"fewer seeds: --{setting} {LEAST_SEEDS}")
    return ", or ".join(ways) or "smaller widths and fewer baselines or arms"
