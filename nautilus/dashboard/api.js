// REST: the answer's data, or an error that carries the server's own words.

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** `data` of an answer. */
export async function get(path) {
  return request(path, { headers: { Accept: "application/json" } });
}

/** `data` of the answer to a command. */
export async function post(path, body) {
  return request(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify(body),
  });
}

async function request(path, options) {
  const response = await fetch(path, { ...options, cache: "no-store" });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, answer.detail || response.statusText);
  return answer.data;
}

/** The function, called at once and then at most every `interval` ms however often it is asked for. */
export function throttled(action, interval) {
  let timer = null;
  let again = false;
  const run = () => {
    timer = setTimeout(() => {
      timer = null;
      if (again) {
        again = false;
        run();
      }
    }, interval);
    action();
  };
  return () => {
    if (timer === null) run();
    else again = true;
  };
}
