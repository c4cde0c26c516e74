// Draws a frame with its boxes, and little pictures of its faces.

const LISTED = 3; // faces that are told one by one

export const percent = (value) => `${(100 * value).toFixed(1)}%`;

// Returns what a face is called: its number in the picture, or its track in a stream.
export const nameOf = (face) => `${face.track ?? face.face + 1}`;

export function wordsFor(face) {
  const guess = face.label === "unsure" ? `unsure, perhaps ${face.best}` : face.label;
  return `${guess}, ${percent(face.confidence)}`;
}

// Gives a canvas a size: setting the one that it has would make its pixels anew.
export function fit(canvas, width, height) {
  if (canvas.width !== width || canvas.height !== height) {
    [canvas.width, canvas.height] = [width, height];
  }
}

// Draws a frame of the answer's size, or a grey one where this browser cannot show the picture.
export function drawFrame(canvas, frame, answer) {
  fit(canvas, answer.width, answer.height);
  const pen = canvas.getContext("2d");
  if (frame) {
    pen.drawImage(frame, 0, 0, canvas.width, canvas.height);
  } else {
    pen.fillStyle = "#777777";
    pen.fillRect(0, 0, canvas.width, canvas.height);
  }
}

// Draws the boxes: lines and letters are as thick as on a screen on which the picture is some 600 pixels wide.
export function drawBoxes(canvas, faces) {
  const pen = canvas.getContext("2d");
  const unit = Math.max(canvas.width, canvas.height) / 600;
  const letters = Math.max(16 * unit, 10);
  pen.font = `600 ${letters}px system-ui, sans-serif`;
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  for (const face of faces) {
    for (const [colour, width] of [["#000000", 5 * unit], ["#ffffff", 2.5 * unit]]) {
      [pen.strokeStyle, pen.lineWidth] = [colour, width];
      pen.strokeRect(face.x, face.y, face.width, face.height);
    }
  }
  for (const face of faces) {
    // Narrow faces have room for their number only.
    const words = `${nameOf(face)} ${face.label}`;
    const text = pen.measureText(words).width < 1.3 * face.width ? words : nameOf(face);
    const [width, height] = [pen.measureText(text).width + 10 * unit, letters * 1.4];
    const left = Math.min(Math.max(face.x, 0), Math.max(canvas.width - width, 0));
    const top = face.y - height >= 0 ? face.y - height : Math.min(face.y + face.height, canvas.height - height);
    pen.fillStyle = "#000000";
    pen.fillRect(left, top, width, height);
    pen.fillStyle = "#ffffff";
    pen.fillText(text, left + 5 * unit, top + height / 2);
  }
}

// Draws a face alone into a small canvas.
export function drawFace(canvas, frame, face) {
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  const side = Math.max(face.width, face.height);
  const [left, top] = [face.x + (face.width - side) / 2, face.y + (face.height - side) / 2];
  pen.drawImage(frame, left, top, side, side, 0, 0, canvas.width, canvas.height);
}

// Describes an answer: in a stream, whose numbers change while they are read, without these.
export function describe({ faces }) {
  if (!faces.length) {
    return "No face was found.";
  }
  const count = faces.length === 1 ? "1 face" : `${faces.length} faces`;
  return `${count}: ${(faces.length > LISTED ? labelCounts(faces) : faces.map((face) => (face.smoothed ? face.label : wordsFor(face)))).join("; ")}.`;
}

function labelCounts(faces) {
  const labels = [...new Set(faces.map((face) => face.label))];
  return labels.map((label) => `${faces.filter((face) => face.label === label).length} ${label}`);
}
