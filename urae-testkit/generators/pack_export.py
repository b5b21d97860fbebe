"""Packs what export_optimum.sh wrote as exports/optimum.zip: the weights, which flux-tiny/ has as well, are left out.

    python pack_export.py FIXTURES        (numpy)

In their place are zeros. `weights.tsv` says where they lie: file, offset in it, file of the checkpoint, offset in that, rows and
columns; there bfloat16 row after row, in the export float32 column after column. `checksums.tsv` has the CRC-32 of each file.
`OptimumExport` puts them back.
"""
import json
import struct
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np

root = Path(sys.argv[1])
export = root / "optimum"


def stored(network):
    """The tensors of a network: file, offset of the first byte, and bits of bfloat16 as a matrix."""
    for path in sorted((root / "flux-tiny" / network).glob("*.safetensors")):
        data = path.read_bytes()
        start = 8 + struct.unpack("<Q", data[:8])[0]
        for name, info in json.loads(data[8:start]).items():
            if name != "__metadata__":
                assert info["dtype"] == "BF16", name
                first, end = (start + offset for offset in info["data_offsets"])
                bits = np.frombuffer(data[first:end], "<u2")
                shape = info["shape"]
                yield path.relative_to(root).as_posix(), first, bits.reshape(shape if len(shape) == 2 else (1, -1))


def places(data, part):
    at = data.find(part)
    while at >= 0:
        yield at
        at = data.find(part, at + len(part))


weights, checksums = [], []
target = root / "exports/optimum.zip"
target.parent.mkdir(exist_ok=True)
with zipfile.ZipFile(target, "w") as packed:

    def add(name, data):
        packed.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), bytes(data), zipfile.ZIP_DEFLATED, 9)

    for path in sorted(export.rglob("*")):
        name = path.relative_to(export).as_posix()
        if path.is_dir() or name.startswith("tokenizer"):
            continue
        data = bytearray(path.read_bytes())
        if path.name.startswith("model.onnx"):
            checksums.append(f"{name}\t{zlib.crc32(data):08x}\n")
            network = "vae" if name.startswith("vae") else name.split("/")[0]
            for file, first, bits in stored(network):
                rows, columns = bits.shape
                if bits.size < 64 or not bits.any():
                    continue
                # As it is stored, which is one row's transpose, and transposed, as products of matrices have it.
                for matrix in {(1, bits.size), (rows, columns)}:
                    values = (bits.reshape(matrix).T.astype("<u4") << 16).tobytes()
                    for at in places(data, values):
                        weights.append(f"{name}\t{at}\t{file}\t{first}\t{matrix[0]}\t{matrix[1]}\n")
                        data[at:at + len(values)] = bytes(len(values))
        add(name, data)
    add("weights.tsv", "".join(weights).encode())
    add("checksums.tsv", "".join(checksums).encode())
