// What is asked for again and again: one request at a time, a pause between two, and none while nobody looks.

const STEP_MS = 2000;
const LONGEST_SECONDS = 60;

/**
 * Readings are `action()`s, each wanted every so many seconds. An action may answer with the seconds until it is wanted
 * again; one that fails is left alone twice as long each time it fails again.
 */
export class Poller {
  constructor({ isHidden = () => document.hidden, now = () => performance.now() / 1000 } = {}) {
    this.isHidden = isHidden;
    this.now = now;
    this.readings = new Map();
    this.isBusy = false;
  }

  /** Want a reading from now on. */
  add(name, seconds, action) {
    this.readings.set(name, { action, seconds, due: -Infinity, failures: 0 });
  }

  /** Want a reading before all others, whatever it said about itself. */
  soon(name) {
    this.readings.get(name).due = -Infinity;
  }

  /** Read everything once, one after the other, and from then on what is due. */
  async start() {
    for (const name of this.readings.keys()) if (!this.isHidden()) await this.#run(name);
    setInterval(() => this.step(), STEP_MS);
    document.addEventListener("visibilitychange", () => this.step());
  }

  /** Read what has been due for longest, if anything is. */
  async step() {
    if (this.isBusy || this.isHidden()) return;
    const [name, reading] = [...this.readings].reduce((first, one) => (one[1].due < first[1].due ? one : first));
    if (reading.due <= this.now()) await this.#run(name);
  }

  async #run(name) {
    const reading = this.readings.get(name);
    this.isBusy = true;
    reading.due = Infinity; // unless `soon` is called meanwhile
    let wait = reading.seconds;
    try {
      wait = (await reading.action()) ?? wait;
      reading.failures = 0;
    } catch {
      // who reads has said so where it is shown
      reading.failures += 1;
      wait = Math.min(LONGEST_SECONDS, Math.max(wait, 1) * 2 ** reading.failures);
    }
    this.isBusy = false;
    if (reading.due === Infinity) reading.due = this.now() + wait;
  }
}
