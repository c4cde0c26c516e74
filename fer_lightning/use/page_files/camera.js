// A camera, frame by frame: the next frame is taken when the one before has its answer, so no lag can build up.

const WANTED = { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" };

export class Camera {
  // Calls shown(canvas, answer, milliseconds) for each frame.
  constructor(backend, shown) {
    Object.assign(this, { backend, shown, running: false });
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
      while (this.running) {
        await this.newFrame(video);
        await this.answered(video);
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
    this.running = this.hasEnded = false;
    this.wake?.();
    this.stream?.close();
    this.media?.getTracks().forEach((track) => track.stop());
    this.stream = this.media = this.wake = null;
  }

  // A page in the background has no new frames: nothing is looked at then.
  newFrame(video) {
    return new Promise((resolve) => {
      this.wake = resolve;
      "requestVideoFrameCallback" in video ? video.requestVideoFrameCallback(resolve) : requestAnimationFrame(resolve);
    });
  }

  async answered(video) {
    if (this.hasEnded) {
      throw new Error("the camera has stopped");
    }
    if (!this.running) {
      return;
    }
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext("2d", { willReadFrequently: true }).drawImage(video, 0, 0);
    const began = performance.now();
    const answer = await this.stream.answer(canvas);
    if (this.running) {
      this.shown(canvas, answer, performance.now() - began);
    }
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
