"""Writes files.txt of the demonstration model: CRC-32, size and name of each file.

    python list_files.py ../src/main/resources/io/github/urae/demo
"""
import sys
import zlib
from pathlib import Path

root = Path(sys.argv[1])
names = sorted(f.relative_to(root).as_posix() for kind in ("adapters", "flux-*") for f in root.glob(kind + "/**/*") if f.is_file())
contents = ((name, (root / name).read_bytes()) for name in names)
(root / "files.txt").write_text("".join(f"{zlib.crc32(content):08x} {len(content)} {name}\n" for name, content in contents))
