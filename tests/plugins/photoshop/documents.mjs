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
  const { kind, blendMode, children, ...rest } = flags;
  return { name, kind, blendMode, children, flags: rest, pixels: { left, top, width, height, data: base64(samples) } };
}

/** A picture of one colour. */
export function plain(width, height, rgba) {
  const data = new Uint8Array(width * height * 4);
  for (let i = 0; i < data.length; i += 4) data.set(rgba, i);
  return { width, height, data };
}
