/** Prints what ag-psd reads of a PSD or PSB: layers bottom up, with a digest of their samples as little-endian RGBA. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { initializeCanvas, readPsd } from "ag-psd";

initializeCanvas(
  () => {
    throw new Error("no canvas is needed for raw samples");
  },
  (width, height) => ({ width, height, data: new Uint8ClampedArray(width * height * 4) }),
);

const digest = ({ data }) =>
  createHash("sha256").update(Buffer.from(data.buffer, data.byteOffset, data.byteLength)).digest("hex");

const described = (layer) => ({
  name: layer.name,
  blend: layer.blendMode,
  hidden: Boolean(layer.hidden),
  clipped: Boolean(layer.clipping),
  box: [layer.left, layer.top, layer.right, layer.bottom],
  samples: layer.imageData ? digest(layer.imageData) : null,
  children: layer.children?.map(described) ?? null,
});

const psd = readPsd(readFileSync(process.argv[2]), { useImageData: true, throwForMissingFeatures: true });
process.stdout.write(
  JSON.stringify({
    size: [psd.width, psd.height],
    bits: psd.bitsPerChannel,
    merged: digest(psd.imageData),
    layers: psd.children.map(described),
  }),
);
