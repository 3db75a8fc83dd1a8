from hybrid_swin.errors import few
from hybrid_swin.interop.weights.report import BlockStart, Resized, WeightReport


def test_the_summary_is_short_and_says_everything():
    report = WeightReport(
        source="checkpoint 'swin.pth'",
        layout="microsoft",
        taken=tuple(f"layers.0.blocks.{i}.norm1.weight" for i in range(40)),
        resized=(Resized("table", (169, 3), (49, 3)),),
        fresh=("a", "b", "c", "d", "e"),
        unused=(),
        blocks=(
            BlockStart("layers.0.blocks.0", "w_msa", "taken"),
            BlockStart("layers.0.blocks.1", "w_msa", "changed", "w_msa where a Swin has sw_msa"),
            BlockStart("layers.1.blocks.0", "conv+w_msa:sum", "identity start"),
            BlockStart("layers.1.blocks.1", "conv", "fresh", "no window attention"),
            BlockStart("layers.1.blocks.2", "mdta", "fresh", "no window attention"),
            BlockStart("layers.1.blocks.3", "conv+w_msa:split", "fresh", "another width"),
        ),
        notes=("the head is fresh: 21841 classes in the source, 10 in the model",),
    )
    assert str(report) == (
        "checkpoint 'swin.pth' (microsoft layout)\n"
        "  taken: 40\n"
        "  resized: 1 (table (169, 3) -> (49, 3))\n"
        "  fresh: 5 (a, b, c and 2 more)\n"
        "  unused: 0\n"
        "  blocks as in the source: 1\n"
        "  blocks that start as the source's mixer alone: 1 (layers.1.blocks.0 conv+w_msa:sum)\n"
        "  blocks that compute something else than in the source: 1 (layers.0.blocks.1 w_msa): "
        "w_msa where a Swin has sw_msa\n"
        "  blocks with a fresh mixer: 2 (layers.1.blocks.1 conv, layers.1.blocks.2 mdta): "
        "no window attention\n"
        "  blocks with a fresh mixer: 1 (layers.1.blocks.3 conv+w_msa:split): another width\n"
        "  note: the head is fresh: 21841 classes in the source, 10 in the model"
    )


def test_few_names_some_and_counts_the_rest():
    assert few([]) == ""
    assert few(["a", "b", "c"]) == "a, b, c"
    assert few("abcde") == "a, b, c and 2 more"
