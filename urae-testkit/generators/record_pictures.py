"""Writes small pictures in the forms that people hold, and records what diffusers' load_image makes of them.

    python record_pictures.py RESOURCES        (Pillow 13.0.0)

Writes RESOURCES/pictures/ and RESOURCES/golden/pictures.json: of each file its size and the red, green and blue of pixels, row by row.
"""
import io
import json
import struct
import sys
import zlib
from pathlib import Path

from PIL import Image, ImageCms, ImageOps

ROOT = Path(sys.argv[1])
FOLDER = ROOT / "pictures"
WIDTH, HEIGHT = 12, 8


def colours(x, y):
    return (20 * x + 3 * y, 255 - 30 * y, (37 * x * y) % 256)


RGB = Image.new("RGB", (WIDTH, HEIGHT))
RGB.putdata([colours(x, y) for y in range(HEIGHT) for x in range(WIDTH)])
# What survives JPEG: patches of one colour in blocks of 16 pixels.
PATCHES = Image.new("RGB", (48, 32))
for index, colour in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (128, 64, 200)]):
    PATCHES.paste(colour, (16 * (index % 3), 16 * (index // 3), 16 * (index % 3) + 16, 16 * (index // 3) + 16))


def save(name, image, **options):
    image.save(FOLDER / name, **options)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(name, width, height, depth, colour, rows, *others, interlace=0):
    """Rows are packed bytes, without their filter."""
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    (FOLDER / name).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))
                                + b"".join(others) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def png_files():
    save("rgb.png", RGB)
    save("rgba-opaque.png", RGB.convert("RGBA"))
    save("grey.png", RGB.convert("L"))
    save("grey-alpha.png", RGB.convert("L").convert("LA"))
    save("one-bit.png", RGB.convert("1"))
    save("palette.png", RGB.quantize(16))
    save("palette-2.png", RGB.quantize(2), bits=1)
    save("palette-4.png", RGB.quantize(4), bits=2)
    save("icc.png", RGB, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes())
    wide = [b"".join(struct.pack(">HHH", *(257 * c ^ 0x3A for c in colours(x, y))) for x in range(WIDTH)) for y in range(HEIGHT)]
    png("rgb-16.png", WIDTH, HEIGHT, 16, 2, wide)
    # Pillow makes white of nearly all of these levels: not recorded.
    png("grey-16.png.txt", WIDTH, HEIGHT, 16, 0, [b"".join(struct.pack(">H", 5000 * x + 190 * y) for x in range(WIDTH)) for y in range(HEIGHT)])
    png("grey-alpha-16.png", WIDTH, HEIGHT, 16, 4, [b"".join(struct.pack(">HH", 5000 * x + 190 * y, 65535) for x in range(WIDTH)) for y in range(HEIGHT)])
    png("rgba-16.png", WIDTH, HEIGHT, 16, 6, [b"".join(struct.pack(">HHHH", 5000 * x, 700 * y, 65000, 65535) for x in range(WIDTH)) for y in range(HEIGHT)])
    png("grey-2.png", 8, 2, 2, 0, [bytes([0b00011011, 0b11100100]), bytes([0b11111111, 0b00000000])])
    png("grey-4.png", 4, 2, 4, 0, [bytes([0x01, 0x9F]), bytes([0x35, 0x7B])])
    # Adam7 of a picture so small that two passes have pixels: 1x1 and the second column.
    png("interlaced.png", 2, 1, 8, 2, [bytes([10, 20, 30]), bytes([40, 50, 60])], interlace=1)
    gamma = chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"cHRM", struct.pack(">8I", *[31270] * 8))
    png("gamma.png", 2, 1, 8, 2, [bytes([10, 120, 30, 40, 50, 160])], gamma)
    png("background.png", 2, 1, 8, 2, [bytes([10, 120, 30, 40, 50, 160])], chunk(b"bKGD", bytes(6)), chunk(b"sRGB", b"\0"), chunk(b"tIME", bytes(7)))


def exif(orientation, order="<"):
    return (b"II" if order == "<" else b"MM") + struct.pack(order + "HIH", 42, 8, 2) + struct.pack(order + "HHIHH", 0x112, 3, 1, orientation, 0) \
        + struct.pack(order + "HHII", 0x11A, 4, 1, 72) + struct.pack(order + "I", 0)


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="%d"/></x:xmpmeta>'


def turned():
    for orientation in range(0, 10):
        for order in "<>":
            block = exif(orientation, order)
            suffix = f"{orientation}{'' if order == '<' else '-big'}"
            if order == "<" or orientation in (0, 6):
                save(f"exif-{suffix}.jpg", PATCHES, exif=b"Exif\0\0" + block, quality=95)
                save(f"exif-{suffix}.webp", RGB, exif=block, lossless=True)
                rows = [RGB.crop((0, y, WIDTH, y + 1)).tobytes() for y in range(HEIGHT)]
                png(f"exif-{suffix}.png", WIDTH, HEIGHT, 8, 2, rows, chunk(b"eXIf", block))
        if 1 <= orientation <= 8:
            save(f"exif-{orientation}.tif", RGB, tiffinfo={0x112: orientation})
    save("xmp-6.jpg", PATCHES, xmp=XMP % 6, quality=95)
    save("xmp-8.webp", RGB, xmp=XMP % 8, lossless=True)
    text = b"XML:com.adobe.xmp\0\0\0\0\0" + XMP % 3
    png("xmp-3.png", WIDTH, HEIGHT, 8, 2, [RGB.crop((0, y, WIDTH, y + 1)).tobytes() for y in range(HEIGHT)], chunk(b"iTXt", text))
    raw = b"\nexif\n%8d\n" % (len(exif(6)) + 6) + (b"Exif\0\0" + exif(6)).hex().encode() + b"\n"
    text = b"Raw profile type exif\0\0" + zlib.compress(raw)
    png("magick-6.png", WIDTH, HEIGHT, 8, 2, [RGB.crop((0, y, WIDTH, y + 1)).tobytes() for y in range(HEIGHT)], chunk(b"zTXt", text))


def without(data, marker):
    """Takes the segments of a marker out of a JPEG file."""
    out, at = data[:2], 2
    while data[at + 1] != 0xDA:
        length = 2 + struct.unpack(">H", data[at + 2:at + 4])[0]
        if data[at + 1] != marker:
            out += data[at:at + length]
        at += length
    return out + data[at:]


def jpeg_files():
    save("rgb.jpg", PATCHES, quality=95)
    save("rgb-444.jpg", PATCHES, quality=95, subsampling=0)
    save("progressive.jpg", PATCHES, quality=95, progressive=True)
    save("keep-rgb.jpg", PATCHES, quality=95, keep_rgb=True)
    save("grey.jpg", PATCHES.convert("L"), quality=95)
    save("icc.jpg", PATCHES, quality=95, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes())
    for name in ("rgb", "rgb-444"):
        (FOLDER / f"{name}-bare.jpg").write_bytes(without((FOLDER / f"{name}.jpg").read_bytes(), 0xE0))
    save("cmyk.jpg", PATCHES.convert("CMYK"), quality=95)
    data = (FOLDER / "cmyk.jpg").read_bytes()
    (FOLDER / "cmyk-bare.jpg").write_bytes(without(data, 0xEE))
    at = data.index(b"Adobe")
    (FOLDER / "ycck.jpg").write_bytes(data[:at + 11] + b"\2" + data[at + 12:])
    buffer = io.BytesIO()
    PATCHES.save(buffer, "JPEG", quality=95)
    (FOLDER / "more-behind.jpg").write_bytes(buffer.getvalue() + b"\xff\xd8 another picture, as telephones append")


def other_files():
    save("lossless.webp", RGB, lossless=True)
    save("lossy.webp", PATCHES, quality=95)
    photo = Image.open(ROOT / "golden/cases/ultra-512-0.png").convert("RGB").crop((80, 60, 181, 143))
    for method in (0, 4):
        save(f"photo-{method}.webp", photo, quality=50, method=method)
    save("photo-alpha.webp", photo.convert("RGBA"), quality=70)
    save("lossy-alpha.webp", PATCHES.convert("RGBA"), quality=95)
    save("lossless-alpha.webp", RGB.convert("RGBA"), lossless=True, exact=True)
    save("animated.webp", PATCHES, lossless=True, save_all=True, append_images=[ImageOps.invert(PATCHES)])
    save("icc.webp", RGB, lossless=True, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes())
    save("animated.gif", PATCHES, save_all=True, append_images=[ImageOps.invert(PATCHES)])
    save("rgb.bmp", RGB)
    save("palette.bmp", RGB.quantize(16))
    save("rgb.tif", RGB)
    save("deflate.tif", RGB, compression="tiff_adobe_deflate")
    save("lzw.tif", RGB, compression="tiff_lzw")
    save("grey.tif", RGB.convert("L"))
    save("palette.tif", RGB.quantize(16))
    save("cmyk.tif", RGB.convert("CMYK"))
    (FOLDER / "really-a.jpg").write_bytes((FOLDER / "rgb.png").read_bytes())


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    png_files(), turned(), jpeg_files(), other_files()
    rows = []
    for file in sorted(FOLDER.iterdir()):
        if file.suffix in (".txt",):
            continue
        with Image.open(file) as image:
            pixels = ImageOps.exif_transpose(image).convert("RGB")
        # Of patches their middles are enough.
        step = 4 if pixels.width * pixels.height > 200 else 1
        some = [pixels.getpixel((x, y)) for y in range(step // 2, pixels.height, step) for x in range(step // 2, pixels.width, step)]
        rows.append({"file": file.name, "width": pixels.width, "height": pixels.height, "step": step, "pixels": b"".join(map(bytes, some)).hex()})
    (ROOT / "golden/pictures.json").write_text(json.dumps(rows, indent=0))


if __name__ == "__main__":
    main()
