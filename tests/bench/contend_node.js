// Does the same work as bare_loop in Node: contend_node.js N W COMMAND ARG...
const { spawn } = require("child_process");
const [count, width] = process.argv.slice(2, 4).map(Number);
const [program, ...rest] = process.argv.slice(4);
let started = 0;

function next() {
  if (started >= count) return;
  ++started;
  const child = spawn(program, rest, { stdio: ["ignore", "pipe", "pipe"] });
  const parts = [];
  child.stdout.on("data", (part) => parts.push(part));
  child.stderr.on("data", (part) => parts.push(part));
  child.on("close", next);
}

for (let i = 0; i < width; ++i) next();
