"""Runs rounds of 50 packets on two hosts with a limit of 8, kills hosts, and checks the starts and ends of agents."""
import glob, json, os, random, signal, socketserver, subprocess, sys, threading, time

PACKETS, LIMIT = 50, 8
# The agent cannot write a log outside its worktree. So it reports its start and end over TCP, and waits for a reply.
AGENT = """#!/bin/bash
cat >/dev/null
say() { exec 3<>"/dev/tcp/127.0.0.1/$PORT" && echo "$1" >&3 && read -r _ <&3; }
PORT=$2
say "start $1" || exit 1
sleep "$3"
say "end $1"
echo done
"""
SAID = []


class Listener(socketserver.StreamRequestHandler):
    def handle(self):
        SAID.append(self.rfile.readline().decode().split())
        self.wfile.write(b"heard\n")


def make(rng, port):
    """Writes the packets, and returns the dependencies of each."""
    depends = {}
    os.makedirs(".agent/tasks", exist_ok=True)
    for number in range(1, PACKETS + 1):
        task = f"T-{number:03d}"
        earlier = sorted(depends)
        depends[task] = rng.sample(earlier, min(len(earlier), rng.choice([0, 0, 1, 1, 2, 3])))
        packet = {"id": task, "title": task, "status": "ready", "depends_on": depends[task],
                  "runner": f"command:{os.path.abspath('../agent')} {task} {port} {rng.uniform(0.05, 0.6):.2f}",
                  "execution": {"commands": {"validation": ["true"]}}, "review": {"autoApproveOnAllGreen": True}}
        with open(f".agent/tasks/{task}.json", "w") as out:
            json.dump(packet, out)
    return depends


def start():
    return subprocess.Popen(["moonlet", "run", "start-ready", "--limit", str(LIMIT)], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def drivers():
    """Returns the processes of this round that drive a packet's run, without the keepers."""
    here, found = os.getcwd(), []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as given:
                words = given.read().split(b"\0")
            if b"--detached" in words and os.readlink(os.path.dirname(path) + "/cwd") == here:
                found.append(int(path.split("/")[2]))
        except OSError:
            pass  # it has ended
    return found


def kill_some(rng, hosts):
    victims = drivers()
    if victims and rng.random() < 0.7:
        try:
            os.kill(rng.choice(victims), signal.SIGKILL)
        except ProcessLookupError:
            pass
    for i, host in enumerate(hosts):
        if rng.random() < 0.25:
            host.kill()
            host.wait()
            hosts[i] = start()


def states():
    done = subprocess.run(["moonlet", "task", "list", "--json"], capture_output=True, text=True)
    return {task["id"]: task["status"] for task in json.loads(done.stdout)["result"]["tasks"]}


def round_of(number, port):
    rng = random.Random(number)
    home = f"../round-{number}"
    os.mkdir(home)
    subprocess.run(["git", "clone", "-q", ".", home], check=True)
    os.chdir(home)
    depends, hosts = make(rng, port), [start(), start()]
    for _ in range(25):
        time.sleep(rng.uniform(0.05, 0.5))
        kill_some(rng, hosts)
    for host in hosts:
        host.wait()
    # Another host continues packets that were interrupted after both hosts had ended.
    for _ in range(20):
        if all(state == "done" for state in states().values()):
            break
        start().wait()
    found = states()
    assert all(state == "done" for state in found.values()), (number, found)
    ended, started = set(), []
    for what, task in SAID:
        if what == "start":
            assert set(depends[task]) <= ended, (number, task, "before", set(depends[task]) - ended)
            started.append(task)
        else:
            ended.add(task)
    SAID.clear()
    assert sorted(started) == sorted(depends), (number, "started twice or never", sorted(started))
    assert not subprocess.run(["moonlet", "run", "verify"], stdout=subprocess.DEVNULL).returncode, number
    os.chdir("../work")


def main(rounds):
    with open("../agent", "w") as out:
        out.write(AGENT)
    os.chmod("../agent", 0o755)
    socketserver.ThreadingTCPServer.daemon_threads = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for number in range(rounds):
            round_of(number, server.server_address[1])
        server.shutdown()
    print("each packet ran once, in order")


main(int(sys.argv[1]))
