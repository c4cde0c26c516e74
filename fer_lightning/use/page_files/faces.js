// Lists the faces, each with a bar per class. Cards are reused, so that a stream does not make new ones 30 times a second.

import { drawFace, nameOf, percent, wordsFor } from "./drawing.js";

export class FacesList {
  constructor(list, classNames) {
    this.list = list;
    this.classNames = classNames;
  }

  show(frame, faces) {
    while (this.list.children.length > faces.length) {
      this.list.lastElementChild.remove();
    }
    while (this.list.children.length < faces.length) {
      this.list.append(this.newCard());
    }
    faces.forEach((face, place) => this.fill(this.list.children[place], frame, face));
  }

  newCard() {
    const card = element("li", { className: "face" });
    const thumbnail = element("canvas", { width: 96, height: 96 });
    thumbnail.setAttribute("aria-hidden", "true");
    const heading = element("h3");
    heading.append(thumbnail, element("span"));
    const bars = element("ul");
    for (const name of this.classNames) {
      const bar = element("li", { className: "bar" });
      const level = element("span", { className: "level" });
      level.setAttribute("aria-hidden", "true");
      level.append(element("i"), element("b"));
      bar.append(element("span", { textContent: name, title: name }), level, element("span"));
      bars.append(bar);
    }
    card.append(heading, bars);
    return card;
  }

  fill(card, frame, face) {
    const thumbnail = card.querySelector("canvas");
    if (frame) {
      drawFace(thumbnail, frame, face);
    }
    setText(card.querySelector("h3 span"), `${nameOf(face)}: ${wordsFor(face)}`);
    const shown = face.smoothed ?? face.probabilities;
    this.classNames.forEach((name, place) => {
      const bar = card.querySelectorAll(".bar")[place];
      bar.classList.toggle("best", name === face.best);
      bar.querySelector("i").style.width = `${100 * shown[name]}%`;
      const mark = bar.querySelector("b");
      mark.hidden = !face.smoothed;
      mark.style.left = `${100 * face.probabilities[name]}%`;
      setText(bar.lastElementChild, percent(shown[name]));
    });
  }
}

export function element(name, properties = {}) {
  return Object.assign(document.createElement(name), properties);
}

// Leaves what is the same alone, for those who have the page read to them.
export function setText(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}
