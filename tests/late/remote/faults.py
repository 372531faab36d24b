#!/usr/bin/env python3
"""Runs steps on other machines while faults strike at random, and checks what is left.

    faults.py MOONLET LAB ssh|slurm|snakemake COUNT [SEED]

LAB is a folder in which remote.sh has started an sshd or a Slurm, with `ssh`, `sbatch`, `squeue` and
`sacct` behind shims in LAB/bin. Each trial starts a run of five steps, breaks something, mends it, and
resumes the run until it ends. Every step appends a line to a file of its own, so a step that ran twice
is seen. With `snakemake`, Debian's snakemake runs the same steps on Slurm, for comparison. Prints a
line for each kind of fault, and ends with the count.
"""
import collections, getpass, json, os, random, shutil, signal, subprocess, sys, time

MOONLET, LAB, KIND, COUNT = os.path.realpath(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
SEED = int(sys.argv[5]) if len(sys.argv) > 5 else int(time.time())
ONLY = os.environ.get("MOONLET_FAULT")
ON = "ssh:big" if KIND == "ssh" else "slurm"
FAR = LAB + "/far"
STEPS = ["one", "two", "three", "four", "writer"]
SCRIPT = """
local function outcome(fn)
  local ok, value = pcall(fn)
  if ok then return value end
  return "error: " .. tostring(type(value) == "table" and value.kind or value)
end
return ctx:parallel({ "one", "two", "three", "four", "writer" }, function(c, name)
  if name == "writer" then
    return outcome(function()
      return c:agent{ name = name, prompt = "x", sandbox = "workspace-write", on = "%(on)s" }.text
    end)
  end
  return outcome(function()
    local ended = c:exec{ "sh", "-c", "echo run >>%(work)s/count-" .. name .. "; sleep %(nap)s; echo done",
      name = name, on = "%(on)s" }
    return ended.signal and "error: cancelled" or ended.stdout
  end)
end, { limit = 5 })
"""
AGENT = "#!/bin/sh\necho run >>%(work)s/count-writer\nsleep %(nap)s\necho new >>file\necho done\n"

SNAKEFILE = """
rule all:
  input: expand("out-step-{name}", name=["one", "two", "three", "four", "writer"])
rule step:
  output: "out-step-{name}"
  shell: "echo run >>%(work)s/count-{wildcards.name}; sleep %(nap)s;"
    " if [ {wildcards.name} = writer ]; then echo new >>file; fi; echo done >{output}"
"""


def pids_with(text):
    """Returns the processes whose program, folder or command line names the text."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        place = "/proc/" + entry
        try:
            words = open(place + "/cmdline", "rb").read().decode(errors="replace").replace("\0", " ")
            if open(place + "/stat").read().rsplit(")", 1)[1].split()[0] == "Z":
                continue
            marks = words + os.readlink(place + "/exe") + " " + os.readlink(place + "/cwd")
        except OSError:
            continue
        if text in marks:
            found[int(entry)] = words or os.path.basename(marks)
    return found


def is_daemon(words):
    name = os.path.basename(words.split(" ")[0])
    return name.startswith(("sshd", "slurm", "munged")) or "slurmscriptd" in words


def is_job(line):
    return "moonlet-" in line and "short" in line


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def lab(command):
    """Runs a function of sshd.sh or slurm.sh."""
    here = os.path.dirname(os.path.abspath(__file__))
    subprocess.run(["bash", "-c", '. "$0/sshd.sh"; . "$0/slurm.sh"; ' + command, here],
                   env={**os.environ, "LAB": LAB}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


class Trial:
    def __init__(self, number, rng):
        self.rng, self.work = rng, f"{LAB}/trial-{number}"
        self.allowed = set()  # errors with which a step may end
        self.host, self.env, self.log = None, dict(os.environ), []
        os.makedirs(self.work)
        values = {"work": self.work, "nap": f"{rng.uniform(0.2, 3):.2f}", "on": ON}
        write(self.work + "/x.lua", SCRIPT % values)
        write(self.work + "/Snakefile", SNAKEFILE % values)
        write(self.work + "/agent.sh", AGENT % values)
        write(self.work + "/file", "old\n")
        write(self.work + "/.gitignore", ".agent\n.snakemake\ncount-*\nout-*\n")
        for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "t"]):
            subprocess.run(["git", *words], cwd=self.work, check=True)

    def start(self, *words):
        self.spawn(MOONLET, *words, "--json")

    def spawn(self, *words):
        number = len(self.log)
        self.log.append(f"{self.work}/out-{number}")
        out = open(self.log[-1], "w")
        self.host = subprocess.Popen([*self.env.get("BEFORE", "").split(), *words], cwd=self.work,
                                     stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=self.env)
        # A program in front of moonlet replaces itself by it, so this is the host's pid.
        write(LAB + "/host.pid", str(self.host.pid))

    def begin(self):
        self.start("run", "x.lua", "--allow", "all", "--unconfined", "--runner", "command:sh agent.sh")

    def go_on(self):
        """Resumes the run, or begins it anew if its host died before it had made it."""
        if os.path.exists(self.work + "/.agent/runs/R-001/run.json"):
            self.start("resume", "R-001")
        else:
            self.begin()

    def after(self, least, most):
        """Waits for a random time, or until the host has ended."""
        try:
            self.host.wait(self.rng.uniform(least, most))
        except subprocess.TimeoutExpired:
            pass

    def answer(self):
        """Returns the envelope of the last command, or None if it printed none."""
        for line in open(self.log[-1]):
            if line.startswith("{"):
                try:
                    return json.loads(line)
                except ValueError:
                    return None
        return None

    def finish(self):
        """Waits for the host, and resumes until the run has its end. Returns what went wrong."""
        for _ in range(8):
            try:
                self.host.wait(150)
            except subprocess.TimeoutExpired:
                self.host.kill()
                self.host.wait()
                return "the host hangs"
            answer = self.answer()
            run = answer and answer.get("run")
            # An agent that is lost makes the verdict degraded.
            ends = ("ok", "degraded") if self.allowed or ON == "slurm" else ("ok",)
            if run and run["verdict"] in ends and answer.get("result") is not None:
                # Changes that could not be collected stay on the machine until a resume collects them.
                if str(answer["result"][4]).startswith("error") and list_dir(f"{FAR}/attempts"):
                    self.go_on()
                    continue
                return self.check(answer["result"])
            # Only these say that a resume makes sense.
            if run and run["verdict"] not in ("needs-human", "cancelled", "quota"):
                return f"verdict {run['verdict']}: {json.dumps(answer['error'])}"
            self.go_on()
        return "eight resumes were not enough"

    def check(self, result):
        wrong = []
        for name, value in zip(STEPS, result):
            count = 0
            if os.path.exists(f"{self.work}/count-{name}"):
                count = len(open(f"{self.work}/count-{name}").readlines())
            if str(value).strip() == "done":
                if count != 1:
                    wrong.append(f"{name} ran {count} times")
            elif value == "error: lost" and ON == "slurm" and count == 0:
                pass  # Slurm dropped the job before it started, so nothing was paid
            elif value not in self.allowed or count > 1:
                wrong.append(f"{name} ended with '{value}' after {count} runs")
        text = open(self.work + "/file").read()
        if str(result[4]).strip() == "done" and text != "old\nnew\n":
            wrong.append(f"the writer's change is lost: {text!r}")
        return "; ".join(wrong) or self.left()

    def left(self):
        # A controller that was killed forgets the end of a job; a node tells it again some minutes later.
        patience = 400 if ON == "slurm" else 20
        end, procs, files = time.time() + patience, {}, []
        while time.time() < end:
            if time.time() > end - patience + 20 and (procs or files and not is_job(files[0])):
                break
            procs = {pid: words for pid, words in pids_with(LAB).items() if not is_daemon(words)}
            files = [name for sub in ("attempts", "maps/attempts") for name in list_dir(f"{FAR}/{sub}")]
            files += list_dir(LAB + "/tmp")
            if ON == "slurm" and not procs and not files:
                files = subprocess.run(["squeue", "-h", "-t", "pending,running"], capture_output=True,
                                       text=True).stdout.splitlines()
            if not procs and not files:
                return self.verify()
            time.sleep(0.25)
        for pid in procs:
            kill(pid)
        return f"left: {procs} {files}"

    def verify(self):
        done = subprocess.run([MOONLET, "run", "verify", "R-001"], cwd=self.work, capture_output=True, text=True)
        return None if done.returncode == 0 else "verify: " + done.stdout + done.stderr


class SnakemakeTrial(Trial):
    def begin(self):
        self.env.setdefault("USER", getpass.getuser())
        self.spawn("snakemake", "--slurm", "--jobs", "5", "--latency-wait", "10", "--rerun-incomplete",
                   "--default-resources", "runtime=5", "slurm_partition=short", "mem_mb=None", "disk_mb=None")

    def go_on(self):
        subprocess.run(["snakemake", "--unlock"], cwd=self.work, capture_output=True)
        self.begin()

    def finish(self):
        for _ in range(8):
            try:
                if self.host.wait(400) == 0:
                    return self.check(["done"] * len(STEPS))
            except subprocess.TimeoutExpired:
                self.host.kill()
                self.host.wait()
                return "the host hangs"
            self.go_on()
        return "eight resumes were not enough"

    def verify(self):
        return None


def list_dir(path):
    return sorted(os.listdir(path)) if os.path.isdir(path) else []


# --- faults: each gets a trial whose run has begun, strikes, and mends what it broke -------------------

def nothing(trial):
    """No fault."""


def host_killed(trial):
    for _ in range(trial.rng.randint(1, 3)):
        trial.after(0, 4)
        trial.host.kill()
        trial.host.wait()
        trial.go_on()


def arm(trial):
    """Names the call at which shim.sh strikes. The first calls follow at once, so it comes before the run."""
    verbs = {"ssh": ["start", "look", "look", "remove", "bundle", "collect"],
             "slurm": ["sbatch"],
             "snakemake": ["sbatch"]}[KIND]
    verb = trial.rng.choice(verbs)
    action = trial.rng.choice(["kill-before", "kill-after", "lose", "refuse", "cut"])
    trial.note = verb + " " + action
    write(LAB + "/fault.new", f"{verb} {action} {trial.rng.randint(0, 400)}\n")
    os.rename(LAB + "/fault.new", LAB + "/fault")


def at_call(trial):
    """The shim strikes once at a call of the keeper or of the scheduler."""
    trial.after(20, 40)
    if os.path.exists(LAB + "/fault"):
        os.remove(LAB + "/fault")
        trial.missed = " (no such call)"


def far_keepers():
    return [pid for pid, words in pids_with(FAR + "/bin/").items() if not is_daemon(words)]


def keeper_killed(trial):
    trial.after(0.5, 3)
    trial.allowed = {"error: lost", "error: failed", "error: cancelled"}
    victims = far_keepers()
    for pid in trial.rng.sample(victims, min(len(victims), trial.rng.randint(1, 4))):
        kill(pid)


def master_killed(trial):
    for _ in range(3):
        trial.after(0.2, 2)
        for pid, words in pids_with("ControlMaster=yes").items():
            if LAB in words:
                kill(pid)


def sshd_stopped(trial):
    trial.after(0, 3)
    pids = [pid for pid, words in pids_with("sshd").items() if LAB in words or "sshd: " in words]
    pids = [pid for pid in pids if is_ours(pid)]
    for pid in pids:
        kill(pid, signal.SIGSTOP)
    trial.after(1, 25)
    for pid in pids:
        kill(pid, signal.SIGCONT)


def link_cut(trial):
    """Cuts the network link for up to 40 seconds. ssh gives up a connection after 15."""
    trial.after(0, 3)
    lab("lab_link_set down")
    trial.after(0.5, 40)
    lab("lab_link_set up")


def is_ours(pid):
    """Whether a process descends from this lab's sshd."""
    try:
        top = int(open(LAB + "/ssh/pid").read())
    except (OSError, ValueError):
        return False
    while pid > 1:
        if pid == top:
            return True
        try:
            pid = int(open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1])
        except OSError:
            return False
    return False


def sshd_restarted(trial):
    trial.after(0, 3)
    lab("lab_sshd_stop all")
    trial.after(0.5, 9)
    lab("lab_sshd_start")


def disk_full(trial):
    """The machine's disk is full for a while. A step may fail, but only once."""
    trial.allowed = {"error: failed", "error: lost", "error: io"}
    block = FAR + "/ballast"
    if trial.rng.random() < 0.5:
        trial.after(0.2, 2)
    with open(block, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    trial.after(1, 6)
    os.remove(block)


def clock_off(trial):
    """The clock of the host that resumes is an hour off."""
    trial.after(0.5, 2)
    trial.host.kill()
    trial.host.wait()
    trial.env["BEFORE"] = "faketime -f " + trial.rng.choice(["+1h", "-1h"])
    trial.go_on()


def controller_killed(trial):
    trial.after(0, 3)
    lab("lab_kill slurmctld KILL")
    trial.after(0.5, 8)
    lab("lab_slurmctld")
    # A controller that forgot a job, or ran it again, ends it; Slurm kills it there.
    trial.allowed = {"error: lost", "error: cancelled"}


def controller_forgets(trial):
    """The controller restarts without its state. It knows no job, and reuses their numbers."""
    trial.after(0, 3)
    lab("lab_kill slurmctld KILL; slurmctld -c -f $SLURM_CONF")
    trial.allowed = {"error: lost", "error: cancelled"}


def controller_stopped(trial):
    trial.after(0, 3)
    pid = int(open(LAB + "/slurm/run/slurmctld.pid").read())
    kill(pid, signal.SIGSTOP)
    trial.after(3, 20)
    kill(pid, signal.SIGCONT)


def munge_killed(trial):
    trial.after(0, 2)
    lab("lab_kill munged KILL")
    trial.after(1, 8)
    lab("lab_munged")


def node_killed(trial):
    """The daemon of a node dies; what it started runs on."""
    trial.after(0.3, 2)
    node = "n%d" % trial.rng.randint(1, 4)
    lab(f"lab_kill slurmd-{node} KILL")
    trial.after(1, 14)
    lab(f"lab_slurmd {node}")
    trial.allowed = {"error: lost", "error: cancelled"}


def job_killed(trial):
    """A signal ends the job's own process."""
    trial.after(1, 3)
    trial.allowed = {"error: lost", "error: cancelled", "error: failed"}
    jobs = [pid for pid, words in pids_with(FAR + "/bin/").items() if " job " in words]
    for pid in jobs[:trial.rng.randint(1, 3)]:
        kill(pid)


def job_cancelled(trial):
    """Somebody cancels the jobs."""
    trial.after(0.3, 3)
    trial.allowed = {"error: lost", "error: cancelled", "error: failed"}
    subprocess.run(["scancel", "--me"], capture_output=True)


def scheduler_lies(trial):
    """squeue and sacct say what is not true for as long as the run takes."""
    trial.note = trial.rng.choice(["empty", "garbage", "stale", "refuse", "done"])
    write(LAB + "/lie", trial.note)
    trial.after(35, 45)
    os.remove(LAB + "/lie")


def exit_cut(trial):
    """A shared folder shows the exit record late and in parts."""
    trial.after(0.5, 2)
    seen, end = {}, time.time() + trial.rng.choice([4, 12, 30])
    while time.time() < end:
        for nonce in list_dir(FAR + "/attempts"):
            path = f"{FAR}/attempts/{nonce}/exit.json"
            if os.path.exists(path) and nonce not in seen:
                seen[nonce] = open(path, "rb").read()
                write(path + ".cut", seen[nonce][:trial.rng.randint(0, len(seen[nonce]))].decode(errors="replace"))
                os.rename(path + ".cut", path)
        time.sleep(0.005)
    for nonce, content in seen.items():
        place = f"{FAR}/attempts/{nonce}"
        if os.path.isdir(place):
            write(place + "/exit.whole", content.decode())
            os.rename(place + "/exit.whole", place + "/exit.json")


COMMON = [host_killed, host_killed, at_call, at_call, at_call, disk_full]
FAULTS = {"ssh": COMMON + [keeper_killed, master_killed, sshd_stopped, sshd_restarted],
          "slurm": COMMON + [controller_killed, controller_forgets, controller_stopped, munge_killed, node_killed,
                             job_killed, job_cancelled, scheduler_lies, exit_cut],
          "snakemake": [host_killed, at_call, controller_killed, controller_forgets, controller_stopped,
                        munge_killed, node_killed, job_cancelled, scheduler_lies]}[KIND]
if os.path.exists(LAB + "/ssh/link"):
    FAULTS += [link_cut, link_cut]
if shutil.which("faketime"):
    FAULTS.append(clock_off)
if not os.path.ismount(FAR):
    FAULTS = [fault for fault in FAULTS if fault is not disk_full]
if ONLY:
    FAULTS = [fault for fault in FAULTS + [nothing] if fault.__name__ == ONLY]


def main():
    counts, failed = collections.Counter(), 0
    for number in range(COUNT):
        rng = random.Random(f"{SEED}-{number}")
        fault = rng.choice(FAULTS)
        trial = (SnakemakeTrial if KIND == "snakemake" else Trial)(number, rng)
        trial.note = trial.missed = ""
        if ON == "slurm":
            # Slurm drains a node on which it started a job twice.
            subprocess.run(["scontrol", "update", "NodeName=n[1-4]", "State=RESUME"], capture_output=True)
        began = time.time()
        if fault is at_call:
            arm(trial)
        trial.begin()
        fault(trial)
        wrong = trial.finish()
        for name in ("fault", "lie"):
            if os.path.exists(f"{LAB}/{name}"):
                os.remove(f"{LAB}/{name}")
        counts[fault.__name__ + trial.missed] += 1
        if wrong:
            failed += 1
            print(f"FAILED: {number} {fault.__name__} {trial.note} (seed {SEED}): {wrong}")
            for pid in pids_with(trial.work):
                kill(pid)
            for name in ("attempts", "maps"):
                shutil.rmtree(f"{FAR}/{name}", ignore_errors=True)
        else:
            shutil.rmtree(trial.work)
            if os.environ.get("MOONLET_VERBOSE"):
                print(f"ok {number} {fault.__name__} {trial.note} {time.time() - began:.1f} s")
        sys.stdout.flush()
    for name, count in sorted(counts.items()):
        print(f"{name}: {count}")
    print(f"{COUNT - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
