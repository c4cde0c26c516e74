// Puts the page together: pictures and frames in, boxes, bars, chart and table out.

import { Camera } from "./camera.js";
import { describe, drawBoxes, drawFrame } from "./drawing.js";
import { FacesList, setText } from "./faces.js";
import { Strip } from "./strip.js";
import { Table } from "./table.js";

const SPEED_OVER = 20; // frames over which their number a second is averaged
const BESIDE = 3; // faces that are listed beside the picture; more of them need the page's width
const SPOKEN_EVERY_MS = 4000; // of a camera: for those who have the page read to them

const part = (id) => document.getElementById(id);
const backend = await import(document.documentElement.dataset.backend === "browser" ? "./browser/local.js" : "./server.js");

setText(part("where"), backend.where);
const card = await backend.card().catch((error) => fail(error));
if (card) {
  start();
}

function start() {
  const names = card.class_names;
  const faces = new FacesList(part("faces"), names);
  const strip = new Strip({ canvas: part("strip"), key: part("key"), choice: part("followed"), section: part("minute") }, names);
  const table = new Table({ section: part("numbers"), download: part("download"), count: part("rows") }, names);
  const camera = new Camera(backend, showFrame);
  let asked = 0; // pictures: an answer to one that is no longer the newest is dropped
  let times = [];
  let spokenAt = -Infinity;

  setText(part("network"), `Network: ${card.name}, for ${names.join(", ")}.`);

  function show(frame, answer) {
    const canvas = part("picture");
    part("hint").hidden = true;
    canvas.hidden = false;
    part("drop").classList.add("filled");
    drawFrame(canvas, frame, answer);
    faces.show(frame && canvas, answer.faces);
    drawBoxes(canvas, answer.faces);
    const none = answer.faces.length ? "" : "No face was found. Those that are at least some ten pixels wide, and turned by no more than about 45 degrees, are.";
    part("none").hidden = !none;
    part("results").classList.toggle("wide", answer.faces.length > BESIDE);
    setText(part("none"), none);
  }

  function showFrame(frame, answer, milliseconds) {
    times = [...times, performance.now()].slice(-SPEED_OVER);
    show(frame, answer);
    strip.add(answer);
    table.add(answer, "camera");
    part("bars-key").hidden = !answer.faces.length;
    if (performance.now() - spokenAt > SPOKEN_EVERY_MS) {
      spokenAt = performance.now();
      setText(part("status"), describe(answer));
      part("picture").setAttribute("aria-label", `Camera. ${describe(answer)}`);
    }
    const rate = times.length > 1 ? (1000 * (times.length - 1)) / (times.at(-1) - times[0]) : 0;
    setText(part("speed"), `${milliseconds.toFixed(0)} ms from the frame to its answer, ${rate.toFixed(1)} frames a second`);
  }

  async function look(file) {
    camera.stop();
    const mine = ++asked;
    setText(part("error"), "");
    setText(part("status"), "Looking …");
    const began = performance.now();
    try {
      const [answer, frame] = await Promise.all([backend.answerToFile(file, card), decoded(file)]);
      if (mine === asked) {
        strip.forget();
        table.forget();
        part("bars-key").hidden = true;
        show(frame, answer);
        table.add(answer, file.name || "pasted picture");
        part("picture").setAttribute("aria-label", `Picture. ${describe(answer)}`);
        setText(part("status"), describe(answer) + (frame ? "" : " This browser cannot show a picture of this form."));
        setText(part("speed"), `${(performance.now() - began).toFixed(0)} ms from the picture to its answer`);
      }
    } catch (error) {
      if (mine === asked) {
        // The picture before stays, with all that is said of it.
        setText(part("status"), part("hint").hidden ? "What is shown is still the picture before." : "");
        setText(part("speed"), "");
        fail(error, file.name);
      }
    }
  }

  async function useCamera() {
    const button = part("camera");
    if (camera.running) {
      camera.stop();
      return;
    }
    const mine = ++asked;
    times = [];
    spokenAt = -Infinity;
    strip.forget();
    table.forget();
    setText(part("error"), "");
    setText(part("status"), "Waiting for the camera …");
    button.setAttribute("aria-pressed", "true");
    setText(button, "Stop the camera");
    try {
      await camera.start();
      if (mine === asked) {
        setText(part("status"), "The camera is off.");
      }
    } catch (error) {
      setText(part("status"), "");
      fail(error);
    } finally {
      button.setAttribute("aria-pressed", "false");
      setText(button, "Use the camera");
    }
  }

  part("camera").addEventListener("click", useCamera);
  part("file").addEventListener("change", ({ target }) => {
    if (target.files.length) {
      look(target.files[0]);
      target.value = ""; // so that the same file can be chosen again
    }
  });
  addEventListener("paste", ({ clipboardData }) => taken(clipboardData, "there is no picture to paste"));
  addEventListener("dragover", (event) => {
    event.preventDefault();
    part("drop").classList.add("over");
  });
  addEventListener("dragleave", ({ relatedTarget }) => part("drop").classList.toggle("over", relatedTarget !== null));
  addEventListener("drop", (event) => {
    event.preventDefault();
    part("drop").classList.remove("over");
    taken(event.dataTransfer, "what was dropped is no file");
  });

  function taken(transfer, otherwise) {
    transfer.files.length ? look(transfer.files[0]) : fail(new Error(otherwise));
  }

  document.documentElement.dataset.ready = "";
}

// Returns a picture as this browser shows it, upright; null where it cannot.
function decoded(file) {
  return createImageBitmap(file).catch(() => null);
}

function fail(error, name) {
  setText(part("error"), `${name ? `${name}: ` : ""}${error.message}.`);
}
