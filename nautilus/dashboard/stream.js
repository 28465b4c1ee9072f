// The live connection: subscribes, comes back after a break with what was missed, and notices silence.

const BACKOFF_MS = [250, 500, 1000, 2000, 5000];

/** Calls `handlers.message(item)`, `handlers.frame(frame)`, `handlers.state("live" | "lost")`, `handlers.gap(frame)`. */
export class Stream {
  constructor(url, handlers) {
    this.url = url;
    this.handlers = handlers;
    this.topics = new Set();
    this.withPast = [];
    this.session = null;
    this.sequence = 0;
    this.attempts = 0;
    this.socket = null;
    this.silence = null;
    this.heartbeatSeconds = 5;
  }

  open() {
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.addEventListener("message", (event) => this.#receive(JSON.parse(event.data)));
    socket.addEventListener("close", () => this.#lost(socket));
    this.#watch();
  }

  /** Receive topics from now on. */
  subscribe(topics) {
    const fresh = topics.filter((topic) => !this.topics.has(topic));
    fresh.forEach((topic) => this.topics.add(topic));
    if (fresh.length) this.#send({ op: "subscribe", topics: fresh });
  }

  /** Before `open`: receive these too, and first what the server still has of them. */
  subscribeWithPast(topics) {
    this.withPast = topics;
  }

  /** Receive topics no longer. */
  unsubscribe(topics) {
    const known = topics.filter((topic) => this.topics.delete(topic));
    if (known.length) this.#send({ op: "unsubscribe", topics: known });
  }

  #send(command) {
    if (this.session !== null && this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(command));
  }

  #receive(frame) {
    this.#watch();
    if (frame.type === "data") {
      for (const item of frame.messages) {
        if (item.kind === "update") this.sequence = Math.max(this.sequence, item.sequence);
        this.handlers.message(item);
      }
      return;
    }
    if (frame.type === "welcome") this.#welcome(frame);
    else if (frame.type === "gap") this.handlers.gap(frame);
    this.handlers.frame(frame);
  }

  #welcome(frame) {
    const returning = this.session !== null;
    const resume = returning ? { after: this.sequence, session: this.session } : {};
    const past = returning ? resume : { after: 0, session: frame.session };
    this.session = frame.session;
    this.sequence = frame.sequence;
    this.heartbeatSeconds = frame.heartbeat_seconds;
    this.attempts = 0;
    this.handlers.state("live");
    if (this.topics.size) this.#send({ op: "subscribe", topics: [...this.topics], ...resume });
    if (this.withPast.length) this.#send({ op: "subscribe", topics: this.withPast, ...past });
  }

  #lost(socket) {
    if (socket !== this.socket) return;
    this.socket = null;
    clearTimeout(this.silence);
    this.handlers.state("lost");
    const wait = BACKOFF_MS[Math.min(this.attempts, BACKOFF_MS.length - 1)];
    this.attempts += 1;
    setTimeout(() => this.open(), wait * (0.75 + Math.random() / 2));
  }

  #watch() {
    clearTimeout(this.silence);
    const socket = this.socket;
    this.silence = setTimeout(() => {
      socket?.close();
      this.#lost(socket);
    }, this.heartbeatSeconds * 3000);
  }
}
