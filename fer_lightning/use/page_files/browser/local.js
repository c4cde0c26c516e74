// Pictures are looked at in this browser, by a worker with onnxruntime-web.

import { fit } from "../drawing.js";

const MOST_PIXELS = 30_000_000;

// Of a camera's frames: who sits before one is near, and a quarter of the pixels takes a quarter of the time.
const STREAM_SIDE = 320;

const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
const waiting = new Map();
let asked = 0;

worker.onmessage = ({ data: { number, result, error } }) => {
  const { resolve, reject } = waiting.get(number);
  waiting.delete(number);
  error === undefined ? resolve(result) : reject(new Error(error));
};
worker.onerror = () => {
  for (const { reject } of waiting.values()) {
    reject(new Error("the network could not be started in this browser"));
  }
};

export const where = "Everything is computed in this browser. Nothing that you show leaves this machine.";

export const card = () => ask("card");

export async function answerToFile(file) {
  // As it is in the file: without the screen's colours.
  const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  const picture = await createImageBitmap(file, options).catch(() => {
    throw new Error("this browser cannot read it as a picture");
  });
  if (picture.width * picture.height > MOST_PIXELS) {
    throw new Error(`${picture.width}×${picture.height}: more than ${MOST_PIXELS.toLocaleString("en")} pixels`);
  }
  return answerTo(pixelsOf(new OffscreenCanvas(picture.width, picture.height), picture), null, 0, null);
}

export async function stream() {
  await ask("begin");
  const began = performance.now();
  const small = new OffscreenCanvas(1, 1);
  let frame = 0;
  return {
    answer(canvas) {
      const scale = Math.min(STREAM_SIDE / Math.max(canvas.width, canvas.height), 1);
      fit(small, Math.max(Math.round(canvas.width * scale), 1), Math.max(Math.round(canvas.height * scale), 1));
      return answerTo(pixelsOf(canvas), pixelsOf(small, canvas), frame++, (performance.now() - began) / 1000);
    },
    close() {},
  };
}

// Returns what a canvas shows, after a picture was drawn over all of it if there is one.
function pixelsOf(canvas, picture = null) {
  const { width, height } = canvas;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  if (picture) {
    pen.drawImage(picture, 0, 0, width, height);
  }
  return { width, height, bands: 4, data: pen.getImageData(0, 0, width, height).data };
}

function answerTo(picture, searched, frame, time) {
  const moved = [picture, searched].filter(Boolean).map(({ data }) => data.buffer);
  return ask("answer", { picture, searched, frame, time }, moved);
}

function ask(task, values = {}, moved = []) {
  asked += 1;
  const answered = new Promise((resolve, reject) => waiting.set(asked, { resolve, reject }));
  worker.postMessage({ number: asked, task, ...values }, moved);
  return answered;
}
