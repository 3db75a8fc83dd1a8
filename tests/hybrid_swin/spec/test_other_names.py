import pytest

import hybrid_swin as hs
from hybrid_swin.errors import InputError
from hybrid_swin.spec.published import meant_by


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("swin_tiny_patch4_window7_224", "'swin_t'"),
        ("swin_small_patch4_window7_224.ms_in22k_ft_in1k", "'swin_s'"),
        ("swin_base_patch4_window12_384", "'swin_b' with img_size=384, window_size=12"),
        ("microsoft/swin-large-patch4-window12-384-in22k", "'swin_l' with img_size=384, window_si"),
        ("swinv2_tiny_window8_256", "'swin_v2_t'"),
        ("swinv2_small_window16_256.ms_in1k", "'swin_v2_s' with window_size=16"),
        ("swinv2_base_window12_192", "'swin_v2_b' with img_size=192, window_size=12"),
        (
            "microsoft/swinv2-base-patch4-window12to16-192to256-22kto1k-ft",
            "'swin_v2_b' with window_size=16, pretrained_window_sizes=(12, 12, 12, 6)",
        ),
        ("hf-hub:timm/swin_s3_tiny_224.ms_in1k", "'s3_t'"),
        ("davit_tiny.msft_in1k", "'davit_like_t'"),
        ("coatnet_0_rw_224.sw_in1k", "'coatnet_like_0'"),
        ("CSWin_64_12211_tiny_224", "'cswin_like_t'"),
        ("cct_7_3x1_32", "'cct_like_7'"),
        ("swin-t", "'swin_t'"),
        ("swin_t.in1k", "'swin_t'"),
        ("Swin_V2_T", "'swin_v2_t'"),
        ("swin_tiny", "'swin_t'"),
        ("hybrid-mdta-t", "'hybrid_mdta_t'"),
    ],
)
def test_names_of_other_libraries_lead_to_ours(theirs, ours):
    assert f"did you mean {ours}" in meant_by(theirs)
    with pytest.raises(InputError) as error:
        hs.create_model(theirs)
    assert f"did you mean {ours}" in str(error.value) and len(str(error.value)) < 300


@pytest.mark.parametrize("name", ["swinv2_cr_tiny_ns_224", "swing", "resnet50", "w_msa", ""])
def test_other_names_lead_nowhere(name):
    assert meant_by(name) == ""


def test_what_is_to_be_passed_makes_the_network():
    sizes = {"window_size": 16, "pretrained_window_sizes": (12, 12, 12, 6)}
    variant = hs.create_model("swin_v2_b", **sizes, device="meta").variant
    assert variant.window_size == 16 and "pretrained_window_size=6" in variant.stages[3].blocks[0]
