// Resizes as Pillow does, to the same bytes: a network sees a picture as it does in Python.
// Pictures are {width, height, bands, data}: bytes, row by row, the bands of a pixel side by side.

const BITS = 22; // of Pillow's fixed-point weights
const HALF = 1 << (BITS - 1);

// Returns a picture resized by the bilinear filter, which averages where it shrinks.
export function resized(picture, width, height, part = [0, 0, picture.width, picture.height]) {
  const box = part.map(Math.fround); // as Pillow has it
  let found = picture;
  if (width !== picture.width || box[0] || box[2] !== picture.width) {
    found = along(found, width, weights(picture.width, box[0], box[2], width), true);
  }
  if (height !== picture.height || box[1] || box[3] !== picture.height) {
    found = along(found, height, weights(picture.height, box[1], box[3], height), false);
  }
  return found;
}

// Returns the same for pictures that are shrunk a lot: whole blocks of pixels are averaged first.
export function resizedByBlocks(picture, width, height, gap) {
  const across = Math.floor(picture.width / width / gap) || 1;
  const down = Math.floor(picture.height / height / gap) || 1;
  if (across === 1 && down === 1) {
    return resized(picture, width, height);
  }
  return resized(blocks(picture, across, down), width, height, [0, 0, picture.width / across, picture.height / down]);
}

// Python's rounding: halves to the even number.
export function rounded(value) {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor & 1) : Math.round(value);
}

function weights(size, from, to, count) {
  const scale = (to - from) / count;
  const support = Math.max(scale, 1);
  return Array.from({ length: count }, (_, place) => {
    const centre = from + (place + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - support + 0.5), 0);
    const last = Math.min(Math.trunc(centre + support + 0.5), size);
    const shares = [];
    for (let position = first; position < last; position += 1) {
      shares.push(Math.max(1 - Math.abs((position - centre + 0.5) / support), 0));
    }
    const sum = shares.reduce((a, b) => a + b, 0) || 1;
    return { first, shares: Int32Array.from(shares, (share) => Math.trunc((share / sum) * 2 ** BITS + 0.5)) };
  });
}

function along(picture, count, taps, isHorizontal) {
  return isHorizontal ? alongRows(picture, count, taps) : alongColumns(picture, count, taps);
}

function alongRows({ width, height, bands, data }, count, taps) {
  const found = new Uint8ClampedArray(count * height * bands);
  const firsts = Int32Array.from(taps, ({ first }) => first * bands);
  let to = 0;
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < count; column += 1) {
      const { shares } = taps[column];
      const start = row * width * bands + firsts[column];
      for (let band = 0; band < bands; band += 1, to += 1) {
        let sum = HALF;
        for (let tap = 0, from = start + band; tap < shares.length; tap += 1, from += bands) {
          sum += data[from] * shares[tap];
        }
        found[to] = sum >> BITS;
      }
    }
  }
  return { width: count, height, bands, data: found };
}

// Whole rows at a time, which is several times as fast as pixel by pixel.
function alongColumns({ width, bands, data }, count, taps) {
  const length = width * bands;
  const found = new Uint8ClampedArray(count * length);
  const sums = new Int32Array(length);
  for (let row = 0; row < count; row += 1) {
    const { first, shares } = taps[row];
    sums.fill(HALF);
    for (let tap = 0; tap < shares.length; tap += 1) {
      const [share, start] = [shares[tap], (first + tap) * length];
      for (let place = 0; place < length; place += 1) {
        sums[place] += data[start + place] * share;
      }
    }
    const to = row * length;
    for (let place = 0; place < length; place += 1) {
      found[to + place] = sums[place] >> BITS;
    }
  }
  return { width, height: count, bands, data: found };
}

function blocks(picture, across, down) {
  const { bands, data } = picture;
  const [width, height] = [Math.ceil(picture.width / across), Math.ceil(picture.height / down)];
  const found = new Uint8ClampedArray(width * height * bands);
  for (let row = 0; row < height; row += 1) {
    const [top, bottom] = [row * down, Math.min((row + 1) * down, picture.height)];
    for (let column = 0; column < width; column += 1) {
      const [left, right] = [column * across, Math.min((column + 1) * across, picture.width)];
      const count = (bottom - top) * (right - left);
      const multiplier = Math.floor(2 ** 24 / count);
      for (let band = 0; band < bands; band += 1) {
        let sum = Math.floor(count / 2);
        for (let y = top; y < bottom; y += 1) {
          for (let x = left; x < right; x += 1) {
            sum += data[(y * picture.width + x) * bands + band];
          }
        }
        found[(row * width + column) * bands + band] = Math.floor((sum * multiplier) / 2 ** 24);
      }
    }
  }
  return { width, height, bands, data: found };
}
