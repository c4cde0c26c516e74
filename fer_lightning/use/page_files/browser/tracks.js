// Follows faces from frame to frame and smooths what they show, as use/tracks.py does.

import { overlap } from "./yunet.js";

const SMOOTHED_OVER_S = 0.5;
const LOST_AFTER_S = 1;
const LEAST_OVERLAP = 0.2;
const FARTHEST = 0.8;
const LARGEST_CHANGE = 1.8;
const VELOCITY_OVER_S = 0.2;
const COASTS_OVER_S = 1;
const LEAST_PROBABILITY = 1e-6;

export class Tracks {
  constructor() {
    this.alive = [];
    this.begun = 0;
  }

  // Returns the faces of a frame with their track and smoothed probabilities; frames come in the order of time.
  followed(faces, time) {
    this.alive = this.alive.filter((track) => time - track.seen <= LOST_AFTER_S);
    const matches = matched(this.alive, faces, time);
    return faces.map((face, place) => {
      const track = matches.get(place) ?? this.begin(face, time);
      const passed = time - track.seen;
      track.move(face, time);
      return { ...face, track: track.number, smoothed: track.smooth(face.probabilities, passed) };
    });
  }

  begin(face, time) {
    this.begun += 1;
    const track = new Track(this.begun, face, time);
    this.alive.push(track);
    return track;
  }
}

class Track {
  constructor(number, face, time) {
    Object.assign(this, { number, centre: centreOf(face), size: [face.width, face.height], seen: time });
    Object.assign(this, { velocity: [0, 0], known: 0, weighted: null, weight: null });
  }

  // Returns where its box should be at a time: it slows down while nobody sees it.
  expected(time) {
    const far = COASTS_OVER_S * -Math.expm1(-(time - this.seen) / COASTS_OVER_S);
    const [x, y] = this.centre.map((place, axis) => place + this.velocity[axis] * far);
    const [width, height] = this.size;
    return { x: x - width / 2, y: y - height / 2, width, height };
  }

  move(face, time) {
    const [centre, passed] = [centreOf(face), time - this.seen];
    if (passed > 0) {
      this.known = Math.min(this.known + passed, VELOCITY_OVER_S);
      const share = Math.min(passed / this.known, 1);
      this.velocity = this.velocity.map((speed, axis) => speed + share * ((centre[axis] - this.centre[axis]) / passed - speed));
    }
    Object.assign(this, { centre, size: [face.width, face.height], seen: time });
  }

  // Returns the exponential mean of log-probabilities, as probabilities: a frame weighs as much as the time it stands for.
  smooth(probabilities, passed) {
    const names = Object.keys(probabilities);
    const logs = names.map((name) => Math.log(Math.max(probabilities[name], LEAST_PROBABILITY)));
    const share = -Math.expm1(-passed / SMOOTHED_OVER_S);
    if (this.weighted === null) {
      this.weighted = logs;
    } else {
      const [before, weight] = this.weight === null ? [this.weighted.map((log) => log * share), share] : [this.weighted, this.weight];
      if (share) {
        this.weighted = before.map((log, place) => log * (1 - share) + logs[place] * share);
        this.weight = weight * (1 - share) + share;
      }
    }
    const mean = this.weighted.map((log) => log / (this.weight || 1));
    const powers = mean.map((log) => Math.exp(log - Math.max(...mean)));
    const sum = powers.reduce((a, b) => a + b, 0);
    return Object.fromEntries(names.map((name, place) => [name, powers[place] / sum]));
  }
}

// Returns the track of each face that has one, by its place: those that fit best find each other first.
function matched(tracks, faces, time) {
  const pairs = tracks.flatMap((track) => faces.map((face, place) => ({ track, place, score: fit(track.expected(time), face) })));
  const matches = new Map();
  for (const { track, place, score } of pairs.sort((a, b) => b.score - a.score)) {
    if (score >= 0 && !matches.has(place) && ![...matches.values()].includes(track)) {
      matches.set(place, track);
    }
  }
  return matches;
}

// What overlaps comes before what is only near.
function fit(box, face) {
  const [width, other] = [Math.max(box.width, 1e-9), Math.max(face.width, 1e-9)];
  if (Math.max(width / other, other / width) > LARGEST_CHANGE) {
    return -1;
  }
  const shared = overlap(box, face);
  const [[x, y], [faceX, faceY]] = [centreOf(box), centreOf(face)];
  return shared >= LEAST_OVERLAP ? 1 + shared : 1 - Math.hypot(x - faceX, y - faceY) / Math.sqrt(width * other) / FARTHEST;
}

const centreOf = ({ x, y, width, height }) => [x + width / 2, y + height / 2];
