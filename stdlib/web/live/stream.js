// All tabs of a browser share one event stream. The tab that holds the lock is the leader: it owns the
// connection and forwards each message. Each tab tracks the event numbers of its runs, so that it
// misses and repeats no event when the leader, the server or the network fails.

const channel = new BroadcastChannel("moonlet");
const listeners = { event: new Set(), overview: new Set(), changed: new Set(), state: new Set() };
const own = new Map();       // run -> the last event that this tab has
const inStep = new Set();    // runs whose next event follows the last one that this tab has
const wanted = new Map();    // of the leader: tab -> { runs, at }
const tab = Math.random().toString(36).slice(2);
const gone = 60000;
let source = null, isLeader = false, following = "", overview = { live: [], runs: new Map() };

export const stream = { isLeader: () => isLeader, state: "connecting", opened: 0, received: 0, twice: 0 };

function tell(kind, message) {
  for (const fn of listeners[kind]) fn(message);
}

function setState(state) {
  if (stream.state === state) return;
  stream.state = state;
  tell("state", state);
}

function takeOverview(message) {
  for (const run of message.runs) overview.runs.set(run.id, run);
  for (const id of [...overview.runs.keys()]) if (!message.live.includes(id)) overview.runs.delete(id);
  overview.live = message.live;
  tell("overview", overview);
}

/** Passes an event of a run to the listeners, once and in order. */
function takeEvent({ id, event }) {
  if (!inStep.has(id) || event.number <= own.get(id)) return;
  own.set(id, event.number);
  tell("event", { id, event });
}

/** Handles the leader's note of its first forwarded events. A tab that lacks earlier events requests them. */
function takeStart(starts) {
  let isLate = false;
  for (const [id, last] of starts) {
    if (!own.has(id)) continue;
    if (last <= own.get(id)) inStep.add(id);
    else {
      inStep.delete(id);
      isLate = true;
    }
  }
  if (isLate) want();
}

function take(message) {
  if (message.kind === "event") takeEvent(message);
  else if (message.kind === "start") takeStart(message.starts);
  else if (message.kind === "overview") takeOverview(message);
  else if (message.kind === "state") setState(message.state);
  else tell("changed", null);
}

function pass(message) {
  channel.postMessage(message);
  take(message);
}

/** Returns each run that a tab follows, with the number of the last event that all its followers have. */
function union() {
  const all = new Map();
  for (const [name, { runs, at }] of wanted) {
    if (Date.now() - at > gone) wanted.delete(name);
    else for (const [id, last] of Object.entries(runs)) all.set(id, Math.min(all.get(id) ?? Infinity, last));
  }
  return all;
}

const passed = new Map();    // of the leader: run -> the last event that it has passed on

function connect(all) {
  if (source) source.close();
  following = [...all.keys()].sort().join();
  passed.clear();
  for (const [id, last] of all) passed.set(id, last);
  const runs = [...all].map(([id, last]) => `${id}:${last}`).join();
  source = new EventSource(`/api/live?runs=${encodeURIComponent(runs)}`);
  stream.opened += 1;
  pass({ kind: "start", starts: [...all] });
  source.addEventListener("open", () => pass({ kind: "state", state: "live" }));
  source.addEventListener("error", () => {
    pass({ kind: "state", state: "waiting" });
    // The browser stops reconnecting after a response that is not a stream, so retry here.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => connect(union()), 1000);
  });
  source.addEventListener("message", ({ data }) => {
    const space = data.indexOf(" "), id = data.slice(0, space), event = JSON.parse(data.slice(space + 1));
    stream.received += 1;
    if (event.number <= (passed.get(id) ?? 0)) stream.twice += 1;
    passed.set(id, event.number);
    pass({ kind: "event", id, event });
  });
  source.addEventListener("overview", ({ data }) => pass({ kind: "overview", ...JSON.parse(data) }));
  source.addEventListener("changed", () => pass({ kind: "changed" }));
}

/** Reconnects if a tab follows another run or lacks events that were already forwarded. */
function serve(name, runs) {
  wanted.set(name, { runs, at: Date.now() });
  const all = union();
  const lacks = [...all].some(([id, last]) => last < (passed.get(id) ?? -1) && runs[id] === last);
  if (!source || [...all.keys()].sort().join() !== following || lacks) connect(all);
  else {
    pass({ kind: "start", starts: Object.entries(runs) });
    channel.postMessage({ kind: "state", state: stream.state });
  }
}

function want() {
  const runs = Object.fromEntries(own);
  if (isLeader) serve(tab, runs);
  else channel.postMessage({ kind: "want", tab, runs });
}

function lead() {
  isLeader = true;
  channel.postMessage({ kind: "who" });
  want();
  // A closed tab says goodbye, but a killed tab does not, so ask all tabs regularly.
  setInterval(() => channel.postMessage({ kind: "who" }), gone / 3);
  return new Promise(() => {});
}

channel.addEventListener("message", ({ data }) => {
  if (data.kind === "want") {
    if (isLeader) serve(data.tab, data.runs);
  } else if (data.kind === "who") {
    want();
  } else if (data.kind === "bye") {
    wanted.delete(data.tab);
  } else if (data.kind === "hello") {
    if (isLeader) channel.postMessage({ kind: "overview", live: overview.live, runs: [...overview.runs.values()] });
  } else {
    take(data);
  }
});
addEventListener("pagehide", () => channel.postMessage({ kind: "bye", tab }));

/** Joins the shared stream. Called once the page has its cookie. */
export function start() {
  navigator.locks.request("moonlet-stream", lead);
  channel.postMessage({ kind: "hello" });
  want();
}

/** Calls `fn` for each "event", "overview", "changed" or "state". Returns a function that stops it. */
export function on(kind, fn) {
  listeners[kind].add(fn);
  if (kind === "overview") fn(overview);
  return () => listeners[kind].delete(fn);
}

/** Follows a run, such as "0/R-007", after the event number `last`. Returns a function that stops it. */
export function follow(id, last) {
  own.set(id, last);
  inStep.delete(id);
  want();
  return () => {
    own.delete(id);
    inStep.delete(id);
    want();
  };
}
