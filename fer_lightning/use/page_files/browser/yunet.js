// Finds faces by YuNet, as use/detector.py does.

import { resizedByBlocks, rounded } from "./resampling.js";

const SIDE_IN = 640; // pixels of the longer side; larger pictures are shrunk
const CLOSE_UP = 200;
const STRIDES = [8, 16, 32];
const MOST_OVERLAP = 0.3;

// Returns the faces in an RGB picture, from the left to the right. run(input) runs the network.
export async function detections(picture, run, minScore) {
  const longest = Math.max(picture.width, picture.height);
  let found = await foundAt(picture, Math.min(SIDE_IN / longest, 1), run, minScore);
  if (!found.length && longest > CLOSE_UP) {
    found = await foundAt(picture, CLOSE_UP / longest, run, minScore);
  }
  return found.sort((a, b) => a.x - b.x);
}

async function foundAt(picture, scale, run, minScore) {
  const size = [picture.width, picture.height].map((side) => Math.max(rounded(side * scale), 1));
  const small = scale < 1 ? resizedByBlocks(picture, ...size, 2) : picture;
  const [width, height] = [small.width, small.height].map((side) => Math.ceil(side / STRIDES.at(-1)) * STRIDES.at(-1));
  const outputs = await run({ data: blueGreenRed(small, width, height), dims: [1, 3, height, width] });
  const faces = apart(decoded(outputs, width, minScore));
  const [across, down] = [picture.width / small.width, picture.height / small.height];
  return faces
    .map((face) => ({
      ...face,
      x: face.x * across,
      y: face.y * down,
      width: face.width * across,
      height: face.height * down,
      landmarks: face.landmarks.map(([x, y]) => [x * across, y * down]),
    }))
    .filter(({ x, y, width, height }) => x + width > 0 && y + height > 0 && x < picture.width && y < picture.height);
}

function blueGreenRed({ width, height, data }, gridWidth, gridHeight) {
  const plane = gridWidth * gridHeight;
  const found = new Float32Array(3 * plane); // black to the right and below
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      const [from, to] = [3 * (row * width + column), row * gridWidth + column];
      found[to] = data[from + 2];
      found[to + plane] = data[from + 1];
      found[to + 2 * plane] = data[from];
    }
  }
  return found;
}

function decoded(outputs, width, minScore) {
  const faces = [];
  for (const stride of STRIDES) {
    const [classes, objects, boxes, points] = ["cls", "obj", "bbox", "kps"].map((part) => outputs[`${part}_${stride}`].data);
    const across = width / stride;
    for (let cell = 0; cell < classes.length; cell += 1) {
      const score = Math.sqrt(share(classes[cell]) * share(objects[cell]));
      if (score >= minScore) {
        const [column, row] = [cell % across, Math.floor(cell / across)];
        const [sizeX, sizeY] = [Math.exp(boxes[4 * cell + 2]), Math.exp(boxes[4 * cell + 3])];
        faces.push({
          x: (column + boxes[4 * cell] - sizeX / 2) * stride,
          y: (row + boxes[4 * cell + 1] - sizeY / 2) * stride,
          width: sizeX * stride,
          height: sizeY * stride,
          score,
          landmarks: [0, 1, 2, 3, 4].map((point) => [
            (column + points[10 * cell + 2 * point]) * stride,
            (row + points[10 * cell + 2 * point + 1]) * stride,
          ]),
        });
      }
    }
  }
  return faces;
}

const share = (value) => Math.min(Math.max(value, 0), 1);

// Returns the faces that are their own: the others overlap a surer one.
function apart(faces) {
  const kept = [];
  for (const face of [...faces].sort((a, b) => b.score - a.score)) {
    if (kept.every((surer) => overlap(face, surer) <= MOST_OVERLAP)) {
      kept.push(face);
    }
  }
  return kept;
}

export function overlap(a, b) {
  const across = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const down = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  const shared = Math.max(across, 0) * Math.max(down, 0);
  return shared / Math.max(a.width * a.height + b.width * b.height - shared, 1e-9);
}
