"""Records what Pillow's filters make of small pictures.

    python resize.py LANCZOS > lanczos.json; python resize.py BICUBIC > bicubic.json        (Pillow 13.0.0)

The pictures follow a formula, so only their sizes are stored. Results are rows of red, green, blue.
"""
import json
import sys

from PIL import Image

SIZES = [((13, 9), (31, 20)), ((40, 30), (7, 5)), ((16, 16), (16, 33)), ((17, 12), (5, 12)),
         ((9, 7), (9, 7)), ((1, 1), (4, 3)), ((33, 5), (32, 48)), ((64, 48), (3, 2))]


def picture(width, height):
    image = Image.new("RGB", (width, height))
    image.putdata([((37 * x + 101 * y + x * y * 7) % 256, 255 * ((x // 3 + y // 2) % 2), (x * x + 13 * y) % 256)
                   for y in range(height) for x in range(width)])
    return image


rows = []
for source, target in SIZES:
    resized = picture(*source).resize(target, Image.Resampling[sys.argv[1]])
    rows.append({"source": source, "target": target, "pixels": list(resized.tobytes())})
print(json.dumps(rows, separators=(",", ":")))
