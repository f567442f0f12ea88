// SPDX-License-Identifier: Apache-2.0
// Class maps and their evidence to pixels, by tables: a page paints a million pixels a second.
export const WIDTH = 512, HEIGHT = 256;
export const EVIDENCE = { received: [20, 184, 166], inferred: [245, 158, 11], invented: [217, 70, 239] };
export const evidenceOf = (confidence) =>
  confidence === 0 ? "invented" : confidence < 128 ? "inferred" : "received";

const FADED = 0.3; // how bright a pixel of no confidence is
const CLASSES = window.semcomClasses; // name, red, green, blue
const pixels = new ImageData(WIDTH, HEIGHT), ink = new Uint32Array(pixels.data.buffer);
const rgba = ([r, g, b], alpha = 255) => ((alpha << 24) | (b << 16) | (g << 8) | r) >>> 0;
const INKS = Uint32Array.from({ length: 65536 }, (_, key) => { // by label + 256 * confidence
  const light = FADED + (1 - FADED) * (key >> 8) / 255;
  return rgba((CLASSES[key & 255] ?? ["", 0, 0, 0]).slice(1).map((one) => light * one));
});

export function paint(context, labels, confidence) {
  for (let i = 0; i < ink.length; i++)
    ink[i] = INKS[labels[i] | (confidence ? confidence[i] : 255) << 8];
  context.putImageData(pixels, 0, 0);
}

// Paints the pixels of the evidence `shown` over what is there, in stripes that are seen on every colour.
export function overlay(context, confidence, shown, scale) {
  const inks = [90, 215].map((alpha) => Uint32Array.from({ length: 256 }, (_, one) =>
    shown.has(evidenceOf(one)) ? rgba(EVIDENCE[evidenceOf(one)], alpha) : 0));
  for (let i = 0; i < ink.length; i++)
    ink[i] = inks[((i % WIDTH) + (i >> 9)) >> 2 & 1][confidence[i]];
  const layer = new OffscreenCanvas(WIDTH, HEIGHT);
  layer.getContext("2d").putImageData(pixels, 0, 0);
  context.drawImage(layer, 0, 0, scale * WIDTH, scale * HEIGHT);
}

// The share of pixels of each kind of evidence, in percent.
export function shares(confidence) {
  const counts = new Uint32Array(256), found = { received: 0, inferred: 0, invented: 0 };
  for (let i = 0; i < confidence.length; i++) counts[confidence[i]]++;
  counts.forEach((count, one) => { found[evidenceOf(one)] += 100 * count / confidence.length; });
  return found;
}
