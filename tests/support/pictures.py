"""Pictures of pages, as small as a README wants them: a PNG of 256 colours, made from one of sixteen million."""

from __future__ import annotations

import base64
import struct
import zlib

from playwright.sync_api import Browser

# Gives each pixel the place of its colour among the 256 that are most frequent, or of the nearest of them.
_PLACED = """
async ([png, most]) => {
  const image = new Image();
  image.src = "data:image/png;base64," + png;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height), context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const bytes = context.getImageData(0, 0, image.width, image.height).data, times = new Map();
  const colour = (at) => bytes[at] * 65536 + bytes[at + 1] * 256 + bytes[at + 2];
  for (let at = 0; at < bytes.length; at += 4) times.set(colour(at), (times.get(colour(at)) ?? 0) + 1);
  const parts = (c) => [c >> 16, (c >> 8) & 255, c & 255];
  const palette = [...times].sort((a, b) => b[1] - a[1]).slice(0, most).map(([c]) => parts(c));
  const far = (a, b) => (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2;
  const place = new Map();
  for (const c of times.keys()) {
    let best = 0;
    palette.forEach((each, n) => { if (far(each, parts(c)) < far(palette[best], parts(c))) best = n; });
    place.set(c, best);
  }
  let places = "";
  for (let at = 0; at < bytes.length; at += 4) places += String.fromCharCode(place.get(colour(at)));
  return {width: image.width, height: image.height, palette: palette.flat(), places: btoa(places)};
}
"""


def in_256_colours(browser: Browser, png: bytes) -> bytes:
    """The same picture, opaque, with a palette in place of three bytes a pixel."""
    page = browser.new_page()
    placed = page.evaluate(_PLACED, [base64.b64encode(png).decode(), 256])
    page.close()
    width, height, places = placed["width"], placed["height"], base64.b64decode(placed["places"])
    rows = b"".join(b"\0" + places[at : at + width] for at in range(0, width * height, width))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in (
            (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            (b"PLTE", bytes(placed["palette"])),
            (b"IDAT", zlib.compress(rows, 9)),
            (b"IEND", b""),
        )
    )


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height, in pixels."""
    width, height = struct.unpack(">II", png[16:24])
    return width, height
