#!/usr/bin/env python3
"""Checks a directory of ONNX exports with ONNX's own checker, and runs its transformer once.

    pip install onnx onnxruntime numpy
    python check_export.py DIR

Not part of the build: the library and its tests need no Python.
"""
import json
import sys
from pathlib import Path

import numpy
import onnx
import onnxruntime

root = Path(sys.argv[1])
for part in ("text_encoder", "text_encoder_2", "transformer", "vae_encoder", "vae_decoder"):
    path = root / part / "model.onnx"
    if not path.exists():
        print(f"{part:15} is not there")
        continue
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(path, load_external_data=False)
    opsets = {o.domain or "ai.onnx": o.version for o in model.opset_import}
    print(f"{part:15} passes the checker: {len(model.graph.node)} nodes, operators {opsets}")

config = json.loads((root / "transformer" / "config.json").read_text())
session = onnxruntime.InferenceSession(root / "transformer" / "model.onnx", providers=["CPUExecutionProvider"])
types = {i.name: numpy.int64 if "int64" in i.type else numpy.float32 for i in session.get_inputs()}
rows, columns, text = 4, 6, 16
random = numpy.random.default_rng(0)
positions = numpy.zeros((rows * columns, 3))
positions[:, 1], positions[:, 2] = numpy.divmod(numpy.arange(rows * columns), columns)
inputs = {
    "hidden_states": random.standard_normal((1, rows * columns, 64)),
    "encoder_hidden_states": random.standard_normal((1, text, config["joint_attention_dim"])),
    "pooled_projections": random.standard_normal((1, config["pooled_projection_dim"])),
    "timestep": numpy.ones(1),
    "img_ids": positions,
    "txt_ids": numpy.zeros((text, 3)),
    "guidance": numpy.full(1, 3.5),
}
velocity = session.run(None, {name: inputs[name].astype(kind) for name, kind in types.items()})[0]
assert velocity.shape == (1, rows * columns, 64) and numpy.isfinite(velocity).all()
print(f"{'transformer':15} runs: velocity of mean {velocity.mean():+.4f} and deviation {velocity.std():.4f}")
