"""Records PyTorch's noise for seeds at the ends of their range.

    python record_seeds.py FIXTURES        (torch 2.5)
"""
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

SEEDS = (2 ** 64 - 1, 2 ** 64 - 2, 2 ** 63, 2 ** 63 - 1, 2 ** 32, 2 ** 32 - 1, -1, -2, -12345, -2 ** 63)

save_file({str(seed): torch.randn(48, generator=torch.Generator().manual_seed(seed)) for seed in SEEDS}, Path(sys.argv[1]) / "golden/seeds.safetensors")
