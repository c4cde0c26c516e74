// The table to download: columns and numbers are those of faces.csv.

import { nameOf } from "./drawing.js";
import { element } from "./faces.js";

export const MOST_ROWS = 20000; // some ten minutes of a camera; the oldest are dropped
const SHOWN = 50;
const FRAME = 1; // place of its column
const BEFORE = ["source", "frame", "time_s", "face", "track", "x", "y", "width", "height", "score", "label", "confidence"];

export class Table {
  constructor({ section, download, count }, classNames) {
    Object.assign(this, { section, count, classNames });
    this.details = section.querySelector("details");
    this.columns = [...BEFORE, ...classNames.map((name) => `p_${name}`), ...classNames.map((name) => `smoothed_${name}`), "note"];
    section.querySelector("thead").replaceChildren(row("th", ["on the picture", ...this.columns]));
    section.querySelectorAll("th").forEach((cell) => (cell.scope = "col"));
    download.addEventListener("click", () => this.save());
    this.details.addEventListener("toggle", () => this.show());
    this.forget();
  }

  forget() {
    this.rows = [];
    this.section.hidden = true;
  }

  add(answer, source) {
    const place = [source, answer.frame, answer.time_s];
    for (const face of answer.faces) {
      const { face: number, track, x, y, width, height, score, label, confidence } = face;
      const classes = [face.probabilities, face.smoothed ?? {}].flatMap((shown) => this.classNames.map((name) => shown[name]));
      const note = label === "unsure" && face.best !== label ? `perhaps ${face.best}` : answer.note;
      const values = [...place, number, track, x, y, width, height, score, label, confidence, ...classes, note];
      this.rows.push({ name: nameOf(face), values });
    }
    if (!answer.faces.length) {
      this.rows.push({ name: "", values: [...place, ...Array(this.columns.length - 4), answer.note] });
    }
    this.rows.splice(0, this.rows.length - MOST_ROWS);
    this.section.hidden = false;
    this.count.textContent = this.rows.length === 1 ? "1 row" : `${this.rows.length.toLocaleString("en")} rows`;
    this.show();
  }

  show() {
    if (this.details.open) {
      // Newest frames first, and the faces of each from the left to the right.
      const newest = this.rows.slice(-SHOWN).sort((a, b) => b.values[FRAME] - a.values[FRAME]);
      this.section.querySelector("tbody").replaceChildren(...newest.map(({ name, values }) => row("td", [name, ...values.map(text)])));
    }
  }

  csv() {
    return [this.columns, ...this.rows.map(({ values }) => values)].map((values) => values.map((value) => quoted(text(value))).join(",")).join("\r\n") + "\r\n";
  }

  save() {
    const address = URL.createObjectURL(new Blob([this.csv()], { type: "text/csv" }));
    element("a", { href: address, download: "faces.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
  }
}

const text = (value) => (value === null || value === undefined ? "" : String(value));

// A spreadsheet takes a text that begins so for a formula: an apostrophe before it makes it a text.
function quoted(value) {
  const safe = /^[=+\-@\t\r]/.test(value) && Number.isNaN(Number(value)) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function row(kind, values) {
  const made = element("tr");
  made.append(...values.map((value) => element(kind, { textContent: value })));
  return made;
}
