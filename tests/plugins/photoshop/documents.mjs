/** Descriptions of documents for the fake host: layers with pixels in base64. */

export const base64 = (typed) => Buffer.from(typed.buffer, typed.byteOffset, typed.byteLength).toString("base64");

/**
 * @param {{width: number, height: number, data: Uint8Array}} picture RGBA bytes
 * @param {object} options
 */
export function layerOf(name, picture, { left = 0, top = 0, bits = 8, isGrey = false, ...flags } = {}) {
  const { width, height } = picture;
  let { data } = picture;
  if (isGrey) data = data.filter((_, index) => index % 4 === 0 || index % 4 === 3);
  const samples = bits === 16 ? Uint16Array.from(data, (value) => Math.round((value * 32768) / 255)) : data;
  const { kind, blendMode, children, mask, ...rest } = flags;
  const pixels = { left, top, width, height, data: base64(samples) };
  return { name, kind, blendMode, children, flags: rest, pixels, mask: mask && base64(mask) };
}

/** A picture of one colour. */
export function plain(width, height, rgba) {
  const data = new Uint8Array(width * height * 4);
  for (let i = 0; i < data.length; i += 4) data.set(rgba, i);
  return { width, height, data };
}

/** A photograph on a white ground that is larger than it. */
export function simpleDocument(photograph, more = {}) {
  const width = photograph.width + 30;
  const height = photograph.height + 20;
  return {
    width,
    height,
    layers: [
      layerOf("Photograph", photograph, { left: 13, top: 9 }),
      layerOf("Background", plain(width, height, [255, 255, 255, 255]), { isBackground: true }),
    ],
    ...more,
  };
}

/** A part of a picture. */
export function cropped(picture, left, top, width, height) {
  const data = new Uint8Array(width * height * 4);
  for (let y = 0; y < height; y++) {
    const start = ((top + y) * picture.width + left) * 4;
    data.set(picture.data.subarray(start, start + width * 4), y * width * 4);
  }
  return { width, height, data };
}

/** A picture of half the size. */
export function halved(picture) {
  const width = Math.floor(picture.width / 2);
  const height = Math.floor(picture.height / 2);
  const data = new Uint8Array(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (2 * y * picture.width + 2 * x) * 4;
      data.set(picture.data.subarray(from, from + 4), (y * width + x) * 4);
    }
  }
  return { width, height, data };
}

/** The same picture with an alpha that a function gives. */
export function withAlpha(picture, alphaAt) {
  const data = picture.data.slice();
  for (let i = 0; i < picture.width * picture.height; i++)
    data[i * 4 + 3] = alphaAt(i % picture.width, Math.floor(i / picture.width));
  return { ...picture, data };
}

/** Black outlines on white paper. */
export function lineArt(width, height) {
  const picture = plain(width, height, [255, 255, 255, 255]);
  const circles = [
    [0.3, 0.4, 0.22],
    [0.68, 0.35, 0.16],
    [0.55, 0.72, 0.2],
  ];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const isLine = circles.some(
        ([cx, cy, r]) => Math.abs(Math.hypot(x - cx * width, y - cy * height) - r * height) < 2,
      );
      if (isLine) picture.data.set([0, 0, 0], (y * width + x) * 4);
    }
  }
  return picture;
}

/** Strokes of colour on transparent ground: [left, top, width, height, [r, g, b]] each. */
export function strokes(width, height, list) {
  const picture = plain(width, height, [0, 0, 0, 0]);
  for (const [left, top, w, h, rgb] of list) {
    for (let y = top; y < top + h; y++)
      for (let x = left; x < left + w; x++) picture.data.set([...rgb, 255], (y * width + x) * 4);
  }
  return picture;
}

/** What the panel sends for a layer of the fake host, as the server's own query. */
export function pictureOf(picture, { channels = 4, depth = 8, profile = "srgb" } = {}) {
  let { data } = picture;
  if (channels === 3) data = data.filter((_, index) => index % 4 !== 3);
  const samples =
    depth === 16
      ? Uint16Array.from(data, (value) => Math.round((Math.round((value * 32768) / 255) * 65535) / 32768))
      : data;
  const bytes = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
  return { width: picture.width, height: picture.height, channels, depth, profile, bytes };
}

/** A soft round selection. */
export function roundSelection(left, top, side) {
  const data = new Uint8Array(side * side);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const distance = Math.hypot(x - side / 2 + 0.5, y - side / 2 + 0.5);
      data[y * side + x] = Math.round(255 * Math.min(Math.max((side / 2 - distance) / 6, 0), 1));
    }
  }
  return { left, top, width: side, height: side, data: base64(data) };
}
