// Cuts faces out of a picture as transforms/face_crop.py and transforms/pixel_format.py do, to the same bytes.

import { resized, rounded } from "./resampling.js";

const LARGEST_MARGIN = 4;

// Returns the face in a box of an RGB or RGBA picture as bytes, (channels, size, size); null where the box is not in the picture.
export function faceBytes(picture, box, { size, channels, margin }) {
  const side = box.width * margin;
  if (!(box.height > 0 && side >= 1 && side <= LARGEST_MARGIN * Math.max(picture.width, picture.height))) {
    return null;
  }
  const length = Math.max(rounded(side), 1);
  const left = rounded(box.x + box.width / 2 - side / 2);
  const top = rounded(box.y + box.height / 2 - side / 2);
  const square = cut(picture, left, top, length);
  const small = resized(channels === 1 ? grey(square) : square, size, size);
  return channels === 1 ? small.data : planes(small);
}

// The square may be beyond the picture's edge: it is mirrored there.
function cut({ width, height, bands, data }, left, top, length) {
  const found = new Uint8ClampedArray(3 * length * length);
  const columns = Array.from({ length }, (_, place) => bands * mirrored(left + place, width));
  for (let row = 0; row < length; row += 1) {
    const start = bands * width * mirrored(top + row, height);
    for (let column = 0; column < length; column += 1) {
      const [from, to] = [start + columns[column], 3 * (row * length + column)];
      found[to] = data[from];
      found[to + 1] = data[from + 1];
      found[to + 2] = data[from + 2];
    }
  }
  return { width: length, height: length, bands: 3, data: found };
}

function mirrored(position, size) {
  const period = 2 * size;
  const place = ((position % period) + period) % period;
  return Math.min(place, period - 1 - place);
}

// ITU-R 601, in Pillow's fixed-point numbers.
function grey({ width, height, data }) {
  const found = new Uint8ClampedArray(width * height);
  for (let place = 0; place < found.length; place += 1) {
    found[place] = (data[3 * place] * 19595 + data[3 * place + 1] * 38470 + data[3 * place + 2] * 7471 + 0x8000) >> 16;
  }
  return { width, height, bands: 1, data: found };
}

function planes({ width, height, data }) {
  const plane = width * height;
  return Uint8ClampedArray.from({ length: 3 * plane }, (_, place) => data[3 * (place % plane) + Math.floor(place / plane)]);
}
