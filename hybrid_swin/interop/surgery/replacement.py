"""What ``replace_blocks`` puts in the place of a block's own mixer, and the way back."""

from collections.abc import Sequence

from torch import Tensor, nn

from hybrid_swin.errors import InputError
from hybrid_swin.interop.surgery.host import Host
from hybrid_swin.interop.weights.filling.mixers import (
    MixerPlan,
    MixerSource,
    plan_mixer,
    start_alone,
)
from hybrid_swin.interop.weights.report import BlockStart, How
from hybrid_swin.network.backbone import Backbone
from hybrid_swin.network.block import build_mixer
from hybrid_swin.network.branches import Branch
from hybrid_swin.network.first_weights import initialise
from hybrid_swin.network.fusions import Fusion
from hybrid_swin.spec.block_words import BlockWord
from hybrid_swin.spec.nominal_words import branch_on_map
from hybrid_swin.spec.variant import Variant

Mixer = Branch | Fusion


class Replacement:
    """Mixers of ours in a user's model.

    Args:
        model: the model, which is changed.
        hosts: the blocks to be replaced.
        made: for each the mixer, and what is to be told of it.
        variant: of a network of ours, the one that it then is.
    """

    def __init__(
        self,
        model: nn.Module,
        hosts: Sequence[Host],
        made: Sequence[tuple[Mixer, BlockStart]],
        variant: Variant | None = None,
    ) -> None:
        self.blocks = tuple(block for _, block in made)
        """How each block starts: ``identity start`` (several branches) and ``taken`` (one) compute
        what the block did, in evaluation and but for rounding; ``changed`` has the attention's
        weights and computes something else; ``fresh`` has nothing of it; ``why`` tells the reason.
        """
        self._model = model
        self._old_variant: Variant | None = None
        mixers = zip(hosts, (mixer for mixer, _ in made), strict=True)
        self._places = [(host, mixer, host.wrap(mixer)) for host, mixer in mixers]
        for host, _, new in self._places:
            setattr(host.parent, host.key, new)
        if variant is not None and isinstance(model, Backbone):
            self._old_variant, model.variant = model.variant, variant
        self.undone = False

    def __str__(self) -> str:
        lines = (f"{b.name} {b.word}: {b.how}{b.why and f' ({b.why})'}" for b in self.blocks)
        return "\n".join(lines)

    def no_weight_decay(self) -> set[str]:
        """Full names of the mixers' parameters that weight decay must leave alone."""
        inside = [part for _, mixer, _ in self._places for part in mixer.modules()]
        parts = [part for part in inside if isinstance(part, Branch | Fusion)]
        ours = {id(getattr(part, name)) for part in parts for name in part.no_weight_decay()}
        return {name for name, p in self._model.named_parameters() if id(p) in ours}

    def undo(self) -> None:
        """Put back the very modules that stood there; the model then computes what it did.

        The attention comes back with its weights of then, on the device and in the number type
        and mode that the mixer has now. What was trained since elsewhere in the model, norms and
        MLPs of these blocks included, stays trained.

        Raises:
            InputError: undone already, or something else stands there by now.
        """
        if self.undone:
            raise InputError("this replacement is undone already")
        for host, _, new in self._places:
            if getattr(host.parent, host.key) is not new:
                raise InputError(f"{host.name} was changed again since; undo what came later first")
        for host, mixer, new in self._places:
            _bring(host, next(mixer.parameters(), host.like), mixer.training)
            host.old.training = new.training
            setattr(host.parent, host.key, host.old)
        if self._old_variant is not None and isinstance(self._model, Backbone):
            self._model.variant = self._old_variant
        self.undone = True


def _bring(host: Host, like: Tensor, training: bool) -> None:
    """Bring what was away to where the model is now; the block's other parts never were away."""
    host.mixer.to(like.device, like.dtype).train(training)
    for name, buffer in host.old.named_buffers(recurse=False):
        dtype = like.dtype if buffer.is_floating_point() else buffer.dtype
        setattr(host.old, name, buffer.to(like.device, dtype))


def fitting_mixer(host: Host, word: BlockWord, identity_start: bool) -> tuple[Mixer, BlockStart]:
    """The mixer of a canonical word with what it can take of the block's, and how it starts."""
    mixer = build_mixer(word, host.dim, host.num_heads, host.window_size, host.grid_size)
    initialise(mixer)
    source = MixerSource(host.weights, str(host.word), certain=True, window=host.window)
    plan = plan_mixer(mixer, word, source)
    mixer.load_state_dict(plan.values, strict=False)
    if not any(parameter.requires_grad for parameter in host.mixer.parameters()):
        for name, parameter in mixer.named_parameters():
            parameter.requires_grad_(name not in plan.values)
    how, why = _start(host, word, mixer, plan, identity_start)
    mixer.to(host.like.device, host.like.dtype).train(host.mixer.training)
    why = "; ".join(filter(None, (why, host.note)))
    return mixer, BlockStart(host.name, word.spelled(), how, why)


def _start(
    host: Host, word: BlockWord, mixer: Mixer, plan: MixerPlan, identity_start: bool
) -> tuple[How, str]:
    """How the block starts; an identity start is made here."""
    if plan.how == "fresh":
        return plan.how, plan.why
    if plan.base is not None and isinstance(mixer, Fusion):
        why = start_alone(mixer, plan.base, identity_start)
        if why:
            return "changed", why
    pair = word.branches[plan.base or 0], host.word.branches[0]
    ours, theirs = (branch_on_map(part, host.grid_size, host.window_size) for part in pair)
    if len(host.word.branches) == 1 and ours != theirs:
        return "changed", f"{pair[0]} where the block had {host.word.spelled()}"
    return ("changed", host.caution) if host.caution else (plan.how, "")
