// The strip chart: what a face has shown in the last minute, a line per class.

import { nameOf, percent } from "./drawing.js";

const MINUTE_S = 60;
const COLOURS = 10; // of page.css
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
const GAP_S = 1; // without its face, a line is interrupted

export class Strip {
  constructor({ canvas, key, choice, section }, classNames) {
    Object.assign(this, { canvas, choice, section, classNames });
    this.spokenAt = -Infinity;
    this.forget();
    choice.addEventListener("change", () => this.draw());
    addEventListener("resize", () => this.draw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    key.replaceChildren(...classNames.map((name, place) => keyEntry(name, place)));
  }

  forget() {
    this.tracks = new Map(); // each track's name: its faces, with their times
    this.now = 0;
    this.choice.replaceChildren();
    this.section.hidden = true;
  }

  add(answer) {
    this.now = answer.time_s;
    for (const face of answer.faces) {
      const name = nameOf(face);
      this.tracks.set(name, [...(this.tracks.get(name) ?? []), { time: this.now, shown: face.smoothed }]);
    }
    for (const [name, points] of this.tracks) {
      const recent = points.filter((point) => point.time >= this.now - MINUTE_S);
      recent.length ? this.tracks.set(name, recent) : this.tracks.delete(name);
    }
    this.offer([...this.tracks.keys()]);
    this.section.hidden = !this.tracks.size;
    this.draw();
  }

  offer(names) {
    const offered = [...this.choice.options].map((option) => option.value);
    if (names.join() !== offered.join()) {
      const chosen = this.choice.value;
      this.choice.replaceChildren(...names.map((name) => new Option(name, name)));
      this.choice.value = names.includes(chosen) ? chosen : (names.at(-1) ?? "");
    }
  }

  draw() {
    const { canvas } = this;
    if (this.section.hidden) {
      return;
    }
    const scale = devicePixelRatio;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    [canvas.width, canvas.height] = [width * scale, height * scale];
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const style = getComputedStyle(document.documentElement);
    const [left, right, top, bottom] = [44, width - 10, 10, height - 26];
    const x = (time) => right - ((this.now - time) / MINUTE_S) * (right - left);
    const y = (value) => bottom - value * (bottom - top);
    pen.font = "12px system-ui, sans-serif";
    pen.fillStyle = style.getPropertyValue("--quiet");
    pen.strokeStyle = style.getPropertyValue("--grid");
    pen.textAlign = "right";
    for (const value of [0, 0.5, 1]) {
      line(pen, [[left, y(value)], [right, y(value)]]);
      pen.fillText(`${100 * value}%`, left - 6, y(value) + 4);
    }
    pen.textAlign = "center";
    for (const seconds of [60, 45, 30, 15]) {
      pen.fillText(`−${seconds} s`, Math.max(x(this.now - seconds), left + 8), height - 8);
    }
    pen.textAlign = "right";
    pen.fillText("now", right, height - 8);
    const points = this.tracks.get(this.choice.value) ?? [];
    pen.lineWidth = 2;
    this.classNames.forEach((name, place) => {
      pen.strokeStyle = style.getPropertyValue(`--class-${place % COLOURS}`);
      pen.setLineDash(DASHES[place % DASHES.length]);
      for (const piece of pieces(points)) {
        line(pen, piece.map((point) => [x(point.time), y(point.shown[name])]));
      }
    });
    this.speak(points.at(-1));
  }

  // Describes the chart, and not more often than somebody can listen.
  speak(newest) {
    if (newest && (this.now - this.spokenAt > 5 || this.now < this.spokenAt)) {
      this.spokenAt = this.now;
      const best = this.classNames.reduce((a, b) => (newest.shown[a] >= newest.shown[b] ? a : b));
      const words = `face ${this.choice.value} shows ${best} with ${percent(newest.shown[best])} now`;
      this.canvas.setAttribute("aria-label", `Probability of each class in the last minute: ${words}`);
    }
  }
}

function pieces(points) {
  const found = [];
  points.forEach((point, place) => {
    if (place === 0 || point.time - points[place - 1].time > GAP_S) {
      found.push([]);
    }
    found.at(-1).push(point);
  });
  return found;
}

function line(pen, places) {
  pen.beginPath();
  places.forEach(([x, y]) => pen.lineTo(x, y));
  pen.stroke();
}

function keyEntry(name, place) {
  const entry = document.createElement("li");
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 32 12");
  svg.setAttribute("aria-hidden", "true");
  for (const [key, value] of Object.entries({ d: "M0 6h32", fill: "none", "stroke-width": 3 })) {
    path.setAttribute(key, value);
  }
  path.setAttribute("stroke", `var(--class-${place % COLOURS})`);
  path.setAttribute("stroke-dasharray", DASHES[place % DASHES.length].join(" "));
  svg.append(path);
  entry.append(svg, ` ${name}`);
  return entry;
}
