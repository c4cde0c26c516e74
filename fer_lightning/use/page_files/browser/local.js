// Pictures are looked at in this browser, by a worker with onnxruntime-web.

const MOST_PIXELS = 30_000_000;

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
  return answerTo(new OffscreenCanvas(picture.width, picture.height), picture, 0, null);
}

export async function stream() {
  await ask("begin");
  const began = performance.now();
  let frame = 0;
  return {
    answer: (canvas) => answerTo(canvas, null, frame++, (performance.now() - began) / 1000),
    close() {},
  };
}

function answerTo(canvas, picture, frame, time) {
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  if (picture) {
    pen.drawImage(picture, 0, 0);
  }
  const { width, height } = canvas;
  const pixels = pen.getImageData(0, 0, width, height).data;
  return ask("answer", { width, height, pixels, frame, time }, [pixels.buffer]);
}

function ask(task, values = {}, moved = []) {
  asked += 1;
  const answered = new Promise((resolve, reject) => waiting.set(asked, { resolve, reject }));
  worker.postMessage({ number: asked, task, ...values }, moved);
  return answered;
}
