#!/usr/bin/env python3
"""Runs every block of every guide: the README.md of the rooms, the pages beside them, and the skills for main agents.

    guides_test.py MOONLET [WORD]

The blocks of one guide run in one fresh repository with a HOME of its own, in their order. PATH has `moonlet`, and an
`agent` that answers by a word of its prompt.
    ```lua            with `-- FILE.lua` in its first line it is saved as that file; else it runs as a script
    ```sh             runs with bash -e. `# exit N` at the end of a line is the exit code that the line must have, and
                      R-007 is the newest run. A line that begins with ./ is a script of the checkout: its --help runs.
                      build/release is the tested build. A line with sudo is passed over
    ```sh checkout    runs in the checkout; $MOONLET is the executable
    ```text           right behind a sh block it is what that block prints; `…` stands for anything, also for lines
    ```c, ```cpp      a whole file, which the compiler accepts with the public headers
A skill names no runner, so its config has one: the agent.
Blocks behind <!-- moonlet doc --markdown --> are run by reference_test.py. The last line is the count.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MOONLET = os.path.abspath(sys.argv[1])
WORD = sys.argv[2] if len(sys.argv) > 2 else ""
GUIDES = ["presets", "stdlib", "host", "lua", "examples", "tests"]
KINDS = {"lua", "sh", "sh checkout", "text", "json", "yaml", "c", "cpp"}


class Failed(Exception):
    pass


class Block:
    def __init__(self, kind, text, line, follows):
        self.kind, self.text, self.line, self.follows = kind, text, line, follows


def blocks_of(text):
    """Returns the fenced blocks in order. `follows` is True if only blank lines separate a block from the one before."""
    found, lines, i, last_end = [], text.split("\n"), 0, None
    while i < len(lines):
        if lines[i].startswith("<!-- moonlet doc"):
            break
        match = re.match(r"^```(.*)$", lines[i])
        if match:
            end = next(at for at in range(i + 1, len(lines)) if lines[at].startswith("```"))
            between = lines[last_end + 1:i] if last_end is not None else ["x"]
            found.append(Block(match[1].strip(), "\n".join(lines[i + 1:end]) + "\n", i + 1, not any(between)))
            last_end, i = end, end
        i += 1
    return found


class Place:
    """Makes a fresh repository with its own HOME and PATH."""

    def __enter__(self):
        self.top = tempfile.mkdtemp(prefix="moonlet-guide.")
        self.work = self.top + "/work"
        for folder in ("home", "bin", "tmp", "work/src"):
            os.makedirs(f"{self.top}/{folder}")
        os.symlink(MOONLET, self.top + "/bin/moonlet")
        shutil.copy(ROOT + "/tests/docs/agent", self.top + "/bin/agent")
        self.write("src/a.lua", "local x = 1\nreturn x\n")
        self.write("src/b.lua", "return 2\n")
        self.write("README.md", "# A project\n\nTODO: say what it is for.\n")
        self.env = {**os.environ, "HOME": self.top + "/home", "TMPDIR": self.top + "/tmp",
                    "PATH": f"{self.top}/bin:{os.environ['PATH']}", "MOONLET": MOONLET,
                    "LC_ALL": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1"}
        for name in list(self.env):
            if name.startswith(("XDG_", "MOONLET_")):
                del self.env[name]
        for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
            subprocess.run(["git", *words], cwd=self.work, check=True, env=self.env)
        self.write("src/b.lua", "return 3\n")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.top)

    def write(self, name, text):
        path = f"{self.work}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def bash(self, text, folder):
        run = subprocess.run(["bash", "-euo", "pipefail", "-c", text], cwd=folder, env=self.env, text=True,
                             capture_output=True, stdin=subprocess.DEVNULL, timeout=300, check=False)
        if run.returncode != 0:
            raise Failed(f"ended with exit code {run.returncode}\n{text}{run.stdout[-3000:]}{run.stderr[-3000:]}")
        return run.stdout


def shell_of(text):
    """Returns the commands of a block, each with its expected exit code."""
    lines, text = [], text.replace("\\\n", " ")
    for line in text.split("\n"):
        code = re.search(r"#\s*exit (\d+)\s*$", line)
        line = re.sub(r"\bR-\d{3}\b", "$(ls .agent/runs | sort | tail -n 1)", line)
        line = re.sub(r"\s+#.*$", "", line)
        if line.startswith("./"):
            line = f'"{ROOT}/{line.split()[0][2:]}" --help >/dev/null'
        if line.startswith(('export PATH="$PWD/build', "sudo ")):
            continue
        line = line.replace("--install build/release", f'--install "{os.path.dirname(MOONLET)}" >/dev/null')
        if code:
            line = f'code=0; {line} || code=$?; [ $code = {code[1]} ] || {{ echo "exit $code: {line.split()[0]}"; exit 1; }}'
        lines.append(line)
    return "\n".join(lines) + "\n"


def same_output(wanted, got):
    parts = [re.escape(part) for part in wanted.strip().split("…")]
    return re.fullmatch(".*?".join(parts), got.strip(), re.S) is not None


def run_block(place, block, printed):
    if block.kind == "lua":
        name = re.match(r"--\s*([\w./-]+\.lua)\s*\n", block.text)
        if name:
            place.write(name[1], block.text)
            return None
        place.write("block.lua", block.text)
        place.bash("moonlet run block.lua --allow all --runner command:agent >/dev/null || [ $? = 4 ]", place.work)
    elif block.kind == "sh":
        return place.bash(shell_of(block.text), place.work)
    elif block.kind == "sh checkout":
        return place.bash(shell_of(block.text), ROOT)
    elif block.kind in ("c", "cpp"):
        name = f"block.{block.kind}"
        place.write(name, block.text)
        compiler = "cc -std=c11" if block.kind == "c" else "c++ -std=c++20"
        headers = f"-I'{ROOT}/lua/include' -I'{os.path.dirname(MOONLET)}/include'"
        place.bash(f"{compiler} -Wall -Werror -fsyntax-only {headers} {name}", place.work)
    elif block.kind == "text" and block.follows and printed is not None:
        if not same_output(block.text, printed):
            raise Failed(f"the commands above print\n{printed}")
    return None


def pages():
    yield "README.md"
    for folder in GUIDES:
        for name in sorted(os.listdir(f"{ROOT}/{folder}")):
            if name.endswith(".md"):
                yield f"{folder}/{name}"
    for name in sorted(os.listdir(ROOT + "/stdlib/plugin/skills")):
        yield f"stdlib/plugin/skills/{name}/SKILL.md"


def check_links(path, text):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if "://" not in target and not os.path.exists(os.path.join(ROOT, os.path.dirname(path), target)):
            raise Failed(f"{path} links to {target}, which is not there")


def run_page(path):
    with open(f"{ROOT}/{path}", encoding="utf-8") as file:
        text = file.read()
    check_links(path, text)
    printed = None
    with Place() as place:
        if path.endswith("SKILL.md"):
            os.makedirs(place.top + "/home/.config/moonlet")
            with open(place.top + "/home/.config/moonlet/config.lua", "w", encoding="utf-8") as config:
                config.write('return { runner = "command:agent" }\n')
        for block in blocks_of(text):
            if block.kind not in KINDS:
                raise Failed(f"{path}:{block.line}: a block of the kind '{block.kind}' is not known")
            try:
                printed = run_block(place, block, printed)
            except Failed as problem:
                raise Failed(f"{path}:{block.line}: {problem}") from None


def run_example(name):
    """Runs the tests of an example in a separate repository."""
    with Place() as place:
        shutil.copytree(f"{ROOT}/examples/{name}", f"{place.work}/presets/{name}")
        record = "--record --allow agents" if os.environ.get("MOONLET_UPDATE") else ""
        place.bash(f"moonlet preset check {name} && moonlet preset test {name} --allow needs {record}", place.work)
        if record:
            shutil.rmtree(f"{ROOT}/examples/{name}/tests/tape", ignore_errors=True)
            shutil.copytree(f"{place.work}/presets/{name}/tests/tape", f"{ROOT}/examples/{name}/tests/tape")


def main():
    examples = sorted(name for name in os.listdir(ROOT + "/examples") if os.path.exists(f"{ROOT}/examples/{name}/init.lua"))
    checks = [("guide: " + page, run_page, page) for page in pages()]
    checks += [("example: " + name, run_example, name) for name in examples]
    passed = failed = 0
    for name, check, subject in checks:
        if WORD not in name:
            continue
        try:
            check(subject)
            passed += 1
            print("ok", name)
        except Failed as problem:
            failed += 1
            print("FAILED:", name)
            print("    " + str(problem).replace("\n", "\n    "))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
