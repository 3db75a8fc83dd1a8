"""A mixer made to take the place of a block's own."""

from hybrid_swin.interop.surgery.host import Host
from hybrid_swin.interop.weights.filling.mixers import MixerPlan, MixerSource, plan_mixer
from hybrid_swin.interop.weights.report import BlockStart, How
from hybrid_swin.network.block import build_mixer
from hybrid_swin.network.branches import Branch
from hybrid_swin.network.first_weights import initialise
from hybrid_swin.network.fusions import Fusion
from hybrid_swin.spec.block_words import BlockWord, Part
from hybrid_swin.spec.nominal_words import branch_on_map

Mixer = Branch | Fusion


def fitting_mixer(host: Host, word: BlockWord, identity_start: bool) -> tuple[Mixer, BlockStart]:
    """The mixer of a canonical word with what it can take of the block's, and how it starts."""
    mixer = build_mixer(word, host.dim, host.num_heads, host.window_size, host.grid_size)
    initialise(mixer)
    source = MixerSource(host.weights, str(host.word), certain=True, window=host.window)
    plan = plan_mixer(mixer, word, source)
    mixer.load_state_dict(plan.values, strict=False)
    if host.is_frozen:
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
        if not identity_start:
            return "changed", "an identity start was not asked for"
        if not mixer.identity_start(plan.base):
            return "changed", "its fusion cannot start as one of its branches, so all act at once"
    part = word.branches[plan.base or 0]
    if len(host.word.branches) == 1 and not _same(part, host.word.branches[0], host):
        return "changed", f"{part} where the block had {host.word.spelled()}"
    return ("changed", host.caution) if host.caution else (plan.how, "")


def _same(ours: Part, theirs: Part, host: Host) -> bool:
    """Whether two branches are one on the block's own map."""
    ours, theirs = (
        branch_on_map(part, host.grid_size, host.window_size) for part in (ours, theirs)
    )
    return ours == theirs
