"""bf16: networks use it if the device supports it, losses do not."""

import dataclasses

import pytest
import torch

from train.config import FitConfig
from train.networks.build import build_network
from train.objective import Batch, loss_terms
from train.precision import autocast, bf16_is_fast


def test_bf16_is_left_to_devices_that_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")

    def computed_in(wanted: bool, **able: bool) -> torch.dtype:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
        with autocast(cpu, amp=wanted):
            return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype

    assert computed_in(True, avx2=True, avx512_bf16=False) is torch.float32
    assert computed_in(True, avx2=True, avx512_bf16=True) is torch.bfloat16
    assert computed_in(True, amx_bf16=True) is torch.bfloat16
    assert computed_in(False, amx_bf16=True) is torch.float32

    # A GPU that can compute in bf16 by emulation alone, as a T4 does.
    def emulates(including_emulation: bool = True) -> bool:
        return including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", emulates)
    assert not bf16_is_fast(torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    assert bf16_is_fast(torch.device("cuda"))


def test_losses_are_computed_in_full_precision_whatever_the_network_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    config = FitConfig(backbone="resnet18", embedding_size=8, amp=True)
    torch.manual_seed(0)
    network = build_network(config, 3, pretrained=False)
    labels = torch.tensor([0, 1, 2, 0]), torch.tensor([0, 1, 2, 1])
    targets = torch.nn.functional.normalize(torch.randn(8, 8), dim=1)
    batch = Batch(torch.randn(8, 3, 32, 32), (4, 4, 0), *labels, targets)
    terms = loss_terms(config, network, batch)
    assert set(terms) == {"cosface", "supcon", "distil"}
    assert all(term.dtype == torch.float32 for term in terms.values())
    precise = loss_terms(dataclasses.replace(config, amp=False), network, batch)
    assert any(terms[name] != precise[name] for name in terms), "bf16 rounds in the network"
