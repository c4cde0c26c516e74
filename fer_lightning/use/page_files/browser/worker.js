// Detector and network, beside the page, so that it stays quick while they compute.

import * as ort from "../runtime/ort.wasm.min.mjs";
import { faceBytes } from "./cropping.js";
import { Tracks } from "./tracks.js";
import { detections } from "./yunet.js";

ort.env.wasm.wasmPaths = new URL("../runtime/", import.meta.url).href;
// Threads need a page with headers of its own, which not every host of static files sends.
ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, 4) : 1;

const ready = prepared();
let tracks = new Tracks();

onmessage = async ({ data: { number, task, ...values } }) => {
  try {
    postMessage({ number, result: await TASKS[task](values) });
  } catch (error) {
    postMessage({ number, error: error.message });
  }
};

const TASKS = {
  card: async () => (await ready).card,
  begin: () => {
    tracks = new Tracks();
  },
  // searched: a smaller picture to look for faces in; null for the picture itself.
  answer: async ({ picture, searched, frame, time }) => {
    const answer = await answered(picture, opaque(searched ?? picture));
    if (time !== null) {
      const { card } = await ready;
      answer.faces = tracks.followed(answer.faces, time).map((face) => labelled(face, face.smoothed, card));
    }
    return { ...answer, frame, time_s: time };
  },
};

async function prepared() {
  const options = { executionProviders: ["wasm"], logSeverityLevel: 3 }; // the detector's sizes are left open on purpose
  const fetched = (path) => fetch(new URL(`../${path}`, import.meta.url)).then((response) => response.arrayBuffer());
  const [card, detector, network] = await Promise.all([
    fetch(new URL("../card.json", import.meta.url)).then((response) => response.json()),
    fetched("yunet.onnx").then((model) => ort.InferenceSession.create(model, options)),
    fetched("network.onnx").then((model) => ort.InferenceSession.create(model, options)),
  ]);
  return { card, detector, network };
}

async function answered(picture, searched) {
  const { card, detector, network } = await ready;
  const find = ({ data, dims }) => detector.run({ input: new ort.Tensor("float32", data, dims) });
  const found = placed(await detections(searched, find, card.min_score), picture.width / searched.width, picture.height / searched.height);
  const cut = found.map((box) => ({ box, bytes: faceBytes(picture, box, card) })).filter(({ bytes }) => bytes);
  const shown = cut.length ? await probabilities(network, card, cut.map(({ bytes }) => bytes)) : [];
  const faces = cut.map(({ box }, place) =>
    labelled({ face: place, track: null, ...box, probabilities: shown[place], smoothed: null }, shown[place], card),
  );
  return { width: picture.width, height: picture.height, faces, note: faces.length ? "" : "no face" };
}

async function probabilities(network, { size, channels, class_names: names }, faces) {
  const batch = new Uint8Array(faces.length * channels * size * size);
  faces.forEach((bytes, place) => batch.set(bytes, place * bytes.length));
  const input = new ort.Tensor("uint8", batch, [faces.length, channels, size, size]);
  const { data } = (await network.run({ faces: input })).probabilities;
  return faces.map((_, place) => Object.fromEntries(names.map((name, column) => [name, data[place * names.length + column]])));
}

function labelled(face, shown, card) {
  const best = card.class_names.reduce((a, b) => (shown[a] >= shown[b] ? a : b));
  return { ...face, best, confidence: shown[best], label: shown[best] < card.unsure_below ? "unsure" : best };
}

// Returns faces in the pixels of a picture that is so many times as wide and as high.
function placed(faces, across, down) {
  if (across === 1 && down === 1) {
    return faces;
  }
  return faces.map((face) => ({
    ...face,
    x: face.x * across,
    y: face.y * down,
    width: face.width * across,
    height: face.height * down,
    landmarks: face.landmarks.map(([x, y]) => [x * across, y * down]),
  }));
}

// Returns RGB of RGBA.
function opaque({ width, height, data }) {
  const found = new Uint8ClampedArray(width * height * 3);
  for (let from = 0, to = 0; to < found.length; from += 4, to += 3) {
    found[to] = data[from];
    found[to + 1] = data[from + 1];
    found[to + 2] = data[from + 2];
  }
  return { width, height, bands: 3, data: found };
}
