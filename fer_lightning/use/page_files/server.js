// Pictures are looked at by the server that this page comes from.

const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
const authorization = token ? { Authorization: `Bearer ${token}` } : {};

export const where = "Pictures are sent to the server at this address, which keeps nothing.";

// Returns what the network is: name, class_names, unsure_below, ….
export async function card() {
  return (await asked("card", { headers: authorization })).json();
}

// Returns the answer to an image file: as a line of faces.jsonl.
export async function answerToFile(file, { most_bytes: most }) {
  if (file.size > most) {
    throw new Error(`the picture is larger than ${most.toLocaleString("en")} bytes`);
  }
  return (await asked("predict", { method: "POST", body: file, headers: authorization })).json();
}

// Returns a stream: answer(canvas) sends one frame and returns its answer; the next one is sent after that.
export async function stream() {
  const url = new URL("stream", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.hash = "";
  const socket = new WebSocket(url, token ? ["fer", `token.${token}`] : ["fer"]);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error("the server cannot be reached, or refuses"));
  });
  let waiting = null;
  socket.onmessage = ({ data }) => waiting?.resolve(JSON.parse(data));
  socket.onclose = ({ reason }) => waiting?.reject(new Error(reason || "the server has closed the connection"));
  return {
    async answer(canvas) {
      const frame = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
      if (socket.readyState !== WebSocket.OPEN) {
        throw new Error("the server has closed the connection");
      }
      const answered = new Promise((resolve, reject) => (waiting = { resolve, reject }));
      socket.send(frame);
      const answer = await answered.finally(() => (waiting = null));
      if (answer.error) {
        throw new Error(answer.error);
      }
      return answer;
    },
    close: () => socket.close(),
  };
}

async function asked(path, options) {
  let response;
  try {
    response = await fetch(path, { ...options, cache: "no-store" });
  } catch {
    throw new Error("the server cannot be reached");
  }
  if (!response.ok) {
    const body = await response.json().catch(() => ({}));
    throw new Error(body.error ?? `the server answers ${response.status}`);
  }
  return response;
}
