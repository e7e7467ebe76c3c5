// The way to the server: a socket that brings messages and comes back by itself, and questions with an answer.

const FIRST_PAUSE = 500; // milliseconds before a socket that was closed is opened again
const LONGEST_PAUSE = 5_000;

export class RecordSocket {
  /** @param {{onMessages: (messages: object[]) => void, onLink: (linked: boolean) => void}} told */
  constructor({ onMessages, onLink }) {
    this.onMessages = onMessages;
    this.onLink = onLink;
    this.socket = null;
    this.timer = null;
  }

  /** Bring the messages of another address, in place of those before. */
  open(address) {
    clearTimeout(this.timer);
    const before = this.socket;
    this.socket = null;
    before?.close();
    this.pause = FIRST_PAUSE;
    this.connect(address);
  }

  connect(address) {
    const url = new URL(address, location.href);
    url.protocol = "ws:";
    url.hash = "";
    const socket = new WebSocket(url);
    this.socket = socket;
    socket.addEventListener("message", (event) => {
      if (socket !== this.socket) return;
      this.pause = FIRST_PAUSE;
      this.onLink(true);
      this.onMessages(parsed(event.data));
    });
    socket.addEventListener("close", (event) => {
      if (socket !== this.socket || event.code === 1000) return;
      this.onLink(false);
      this.timer = setTimeout(() => this.connect(address), this.pause);
      this.pause = Math.min(LONGEST_PAUSE, 2 * this.pause);
    });
  }
}

/** Return the messages of a text; lines of a file are sent as they are, so one that is damaged shows here. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    return [{ type: "problem", text: `A line of the recording is damaged, and what came with it is not shown: ${error.message}` }];
  }
}

/**
 * Ask the server something, and return its answer.
 * @param {string} address
 * @param {object} [body] what is sent; without it, the answer is only read.
 * @throws {Error} with a sentence for the reader, if it is refused or the server does not answer
 */
export async function ask(address, body) {
  const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  let answer;
  try {
    answer = await fetch(address, options);
  } catch {
    throw new Error("The server does not answer. Is `backlight studio` still running?");
  }
  const isJson = answer.headers.get("Content-Type")?.startsWith("application/json");
  const found = isJson ? await answer.json() : { problem: await answer.text() };
  if (!answer.ok) throw new Error(found.problem);
  return found;
}
