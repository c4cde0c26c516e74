// A camera, frame by frame: the next frame is taken when the one before has its answer, so no lag can build up.

import { fit } from "./drawing.js";

const WANTED = { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" };

export class Camera {
  // Calls shown(canvas, answer, milliseconds) for each frame.
  constructor(backend, shown) {
    const canvases = [0, 1].map(() => document.createElement("canvas"));
    Object.assign(this, { backend, shown, canvases, running: false, isNew: false });
  }

  async start() {
    if (!navigator.mediaDevices) {
      throw new Error("a browser gives its camera only to pages from this machine or over https");
    }
    this.running = true;
    try {
      const media = await navigator.mediaDevices.getUserMedia({ video: WANTED, audio: false }).catch(refused);
      this.media = media;
      const video = Object.assign(document.createElement("video"), { srcObject: media, muted: true, playsInline: true });
      media.getVideoTracks()[0].addEventListener("ended", () => (this.hasEnded = true) && this.wake?.());
      await video.play();
      this.stream = await this.backend.stream();
      this.watch(video);
      let show = null; // what the frame before showed: it is drawn while the next one is looked at
      while (this.running) {
        if (!this.isNew) {
          show?.();
          show = null;
          await new Promise((resolve) => (this.wake = resolve));
        }
        const asked = this.answered(video);
        show?.();
        show = await asked;
      }
    } catch (error) {
      if (this.running) {
        throw error;
      }
    } finally {
      this.stop();
    }
  }

  stop() {
    this.running = this.hasEnded = this.isNew = false;
    this.wake?.();
    this.stream?.close();
    this.media?.getTracks().forEach((track) => track.stop());
    this.stream = this.media = this.wake = null;
  }

  // Says when there is a new frame. A page in the background has none: nothing is looked at then.
  watch(video) {
    const { media } = this;
    const next = () => ("requestVideoFrameCallback" in video ? video.requestVideoFrameCallback(seen) : requestAnimationFrame(seen));
    const seen = () => {
      if (this.media === media) {
        this.isNew = true;
        this.wake?.();
        next();
      }
    };
    next();
  }

  // Returns what shows the newest frame with its answer.
  async answered(video) {
    if (this.hasEnded) {
      throw new Error("the camera has stopped");
    }
    if (!this.running) {
      return null;
    }
    this.isNew = false;
    const canvas = this.canvases.reverse()[0]; // the other one may still have to be shown
    fit(canvas, video.videoWidth, video.videoHeight);
    canvas.getContext("2d", { willReadFrequently: true }).drawImage(video, 0, 0);
    const began = performance.now();
    const answer = await this.stream.answer(canvas);
    const milliseconds = performance.now() - began;
    return () => this.running && this.shown(canvas, answer, milliseconds);
  }
}

function refused(error) {
  const words = {
    NotAllowedError: "the camera may not be used: allow it in the browser's settings for this page",
    NotFoundError: "there is no camera",
    NotReadableError: "the camera is used by another program",
  };
  throw new Error(words[error.name] ?? `the camera cannot be used: ${error.message}`);
}
