"""The precision that a network computes in."""

import torch


def autocast(device: torch.device, *, amp: bool) -> torch.autocast:
    """A context in which networks compute in bf16, if `amp` is true and the device supports it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=amp and bf16_is_fast(device))


def bf16_is_fast(device: torch.device) -> bool:
    """Whether a device has instructions for bf16.

    Other CPUs, and GPUs from before 2020, emulate it, which is slower than fp32.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return True
    able = torch.cpu.get_capabilities()
    return any(able.get(name, False) for name in ("amx_bf16", "avx512_bf16", "bf16"))
