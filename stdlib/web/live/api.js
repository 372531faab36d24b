// Requests to the server: they read files of runs and start commands of moonlet.

export class Refused extends Error {
  constructor(status, message, hint) {
    super(message);
    this.status = status;
    this.hint = hint || "";
  }
}

async function answerOf(response) {
  const text = await response.text();
  let json = null;
  try {
    json = JSON.parse(text);
  } catch {
    // A detached command prints the id of its run.
    const id = /^(R-\d+)\s*$/.exec(text);
    if (id) return { ok: true, run: { id: id[1] }, result: null, error: null };
  }
  if (!json) throw new Refused(response.status, text.slice(0, 300) || "the command printed nothing");
  if (json.error) throw new Refused(response.status, json.error.message, json.error.hint);
  return json;
}

const query = (values) => new URLSearchParams(Object.entries(values).filter(([, value]) =>
  value !== null && value !== undefined && value !== "")).toString();

/** Reads JSON: get("steps", { repo: 0, run: "R-007" }). */
export async function get(what, values = {}) {
  return answerOf(await fetch(`/api/${what}?${query(values)}`, { credentials: "same-origin" }));
}

/** Runs a read-only command and returns its JSON envelope. */
export const look = (name, values) => get(`command/${name}`, values);

async function post(path, body) {
  return answerOf(await fetch(path, { method: "POST", credentials: "same-origin", body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", "X-Moonlet": "1" } }));
}

/** Runs a command that changes something and returns its JSON envelope. */
export const act = (name, values) => post(`/api/command/${name}`, values);

export const login = (token) => post("/api/login", { token });

/** Reads a part of a file in the run's sidecar: { bytes, size }, with the size of the whole file. */
export async function file(repo, run, path, from = 0, size = 200000) {
  const response = await fetch(`/api/file?${query({ repo, run, path, from, size })}`, { credentials: "same-origin" });
  if (!response.ok) return null;
  return { bytes: new Uint8Array(await response.arrayBuffer()), size: Number(response.headers.get("X-Size")) };
}
