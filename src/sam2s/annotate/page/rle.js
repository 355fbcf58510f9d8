/** COCO's run-length code: columns from left to right, each from top to bottom. */

/**
 * The mask as rows: 1 inside, 0 outside, `height * width` bytes.
 * @param {import("./types.js").Rle} rle
 * @returns {Uint8Array}
 */
export function decode(rle) {
  const [height, width] = rle.size;
  const mask = new Uint8Array(height * width);
  let place = 0;
  let value = 0;
  for (const run of runsOf(rle.counts)) {
    if (value) {
      for (let k = place; k < place + run; k += 1) {
        mask[(k % height) * width + Math.floor(k / height)] = 1;
      }
    }
    place += run;
    value = 1 - value;
  }
  return mask;
}

/**
 * @param {string} text
 * @returns {number[]}
 */
export function runsOf(text) {
  const runs = [];
  let place = 0;
  while (place < text.length) {
    let value = 0;
    let shift = 0;
    let more = true;
    while (more) {
      const chunk = text.charCodeAt(place) - 48;
      value += (chunk & 31) * 2 ** shift;
      more = (chunk & 32) !== 0;
      place += 1;
      shift += 5;
      if (!more && chunk & 16) value -= 2 ** shift;
    }
    if (runs.length > 2) value += runs[runs.length - 2];
    runs.push(value);
  }
  return runs;
}

/**
 * The code of a mask of rows, its runs as numbers.
 * @param {Uint8Array} mask
 * @param {number} height
 * @param {number} width
 * @returns {{size: [number, number], counts: number[]}}
 */
export function encode(mask, height, width) {
  /** @type {number[]} */
  const counts = [];
  let value = 0;
  let run = 0;
  for (let x = 0; x < width; x += 1) {
    for (let y = 0; y < height; y += 1) {
      const here = mask[y * width + x] ? 1 : 0;
      if (here !== value) {
        counts.push(run);
        run = 0;
        value = here;
      }
      run += 1;
    }
  }
  counts.push(run);
  return { size: [height, width], counts };
}
