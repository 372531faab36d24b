#!/usr/bin/env python3
"""Compares the table of verdicts in presets/PATTERNS.md with the verdicts of real runs.

    patterns_test.py MOONLET [WORD]

Each cell of the table is a run of its pattern with agents that fail in that way. With WORD only patterns whose name has
it run. MOONLET_UPDATE=1 writes the table anew. The last line is the count.
"""
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MOONLET = os.path.abspath(sys.argv[1])
WORD = sys.argv[2] if len(sys.argv) > 2 else ""
GUIDE = os.path.join(ROOT, "presets/PATTERNS.md")
BEGIN, END = "<!-- verdicts: tests/docs/patterns_test.py -->\n", "<!-- end of verdicts -->\n"
CODES = {"ok": 0, "failed": 1, "degraded": 4, "blocked": 6}

# The agent answers by the task in its prompt. LOST names the workers that crash, and PASS is the verifier's answer.
AGENT = r"""#!/bin/sh
prompt=$(cat)
case $prompt in
*'"judgements"'*) who=verify answer='{"judgements": {"1": {"verdict": "confirmed", "reason": "it is there"}}}' ;;
*'"places"'*) who=scout answer='{"places": [], "how": "by hand", "constraints": []}' ;;
*'"pass"'*) who=verifier answer='{"pass": PASS, "summary": "seen", "problems": []}' ;;
*'"conflicts"'*) who=merge answer='{"text": "the whole", "conflicts": []}' ;;
*'"actions"'*) who=synthesis answer='{"points": ["p"], "sources": [], "disagreements": [], "actions": ["go"]}' ;;
*'"points"'*) who=question answer='{"points": ["p"], "sources": [], "disagreements": []}' ;;
*'"scores"'*) who=judge answer=SCORES ;;
*'"choice"'*) who=voter answer='{"choice": "yes", "reason": "r"}' ;;
*'LENS: Risks'*) who=risks answer='{"findings": [{"file": "a.txt", "line": 1, "severity": "high", "claim": "It says a.", "evidence": "a", "status": "refuted"}]}' ;;
*'TASK: Review'*) who=reviewer answer='{"findings": [{"file": "a.txt", "line": 1, "severity": "high", "claim": "It says a.", "evidence": "a"}]}' ;;
*) who=worker answer='Done.' ;;
esac
case $1 in
LOST) exit 3 ;;
esac
case $who:$1 in
LOST) exit 3 ;;
worker:*sections-y*) echo done >>b.txt ;;
worker:*) if [ WRITES = yes ]; then echo done >>a.txt; fi; if [ OUTSIDE = yes ]; then echo more >other.txt; fi ;;
esac
echo "$answer"
"""

DRAFTS = '{ "one", "two", "three", "four" }'
# Maps each pattern to its options and, for each column of the table, to the agents' fault. A missing column cannot happen.
LOST, ALL, LAST, FAIL, CHECK, SCOPE = range(6)
HEADS = ["one of several workers is lost", "too many of them, or the only one", "the judge, merge or verifier is lost",
         'the verifier says "fail"', "a check fails", "a writer leaves its scope"]
PATTERNS = {
    "triangulated_review": ('{ artifact = "a.txt", lenses = { "correctness", "risks", "tests" } }', {
        LOST: {"lost": "*tests*"}, ALL: {"lost": "reviewer:*"}, LAST: {"lost": "verify:*"}}),
    "review_fix": ('{ artifact = "a.txt", scope = "a.txt", lenses = { "correctness", "tests" }, checks = { "test:CHECK" } }', {
        LOST: {"lost": "*review-tests*"}, ALL: {"lost": "reviewer:*"}, LAST: {"lost": "verifier:*"}, FAIL: {"pass": "false"},
        CHECK: {"check": "false"}, SCOPE: {"outside": "yes"}}),
    "scout_act_verify": ('{ goal = "g", scope = "a.txt", checks = { "test:CHECK" } }', {
        ALL: {"lost": "scout:*"}, LAST: {"lost": "verifier:*"}, FAIL: {"pass": "false"}, CHECK: {"check": "false"},
        SCOPE: {"outside": "yes"}}),
    "split_sections": ('{ task = "t", write = true, sections = { { name = "x", paths = { "a.txt" } }, '
                       '{ name = "y", paths = { "b.txt" } } } }', {
        LOST: {"lost": "worker:*sections-x*"}, ALL: {"lost": "worker:*"}, LAST: {"lost": "merge:*"}, SCOPE: {"outside": "yes"}}),
    "research": ('{ topic = "t", questions = { "x", "y" } }', {
        LOST: {"lost": "*question-1*"}, ALL: {"lost": "question:*"}, LAST: {"lost": "synthesis:*"}}),
    "options_sprint": ('{ goal = "g", criteria = { "short" } }', {
        LOST: {"lost": "*simplest*"}, ALL: {"lost": "worker:*"}, LAST: {"lost": "judge:*"}}),
    "vote": ('{ question = "q", choices = { "yes", "no" } }', {LOST: {"lost": "*voter-1*"}, ALL: {"lost": "voter:*"}}),
    "judge_panel": ('{ candidates = { "one", "two" }, criteria = { "short" } }', {
        LOST: {"lost": "*judge-1*"}, ALL: {"lost": "judge:*"}}),
    "until_green": ('{ scope = "a.txt", checks = { "test:CHECK" } }', {
        LOST: {"lost": "*implementer-1*", "check": "grep -q done a.txt"},
        ALL: {"lost": "worker:*", "check": "grep -q done a.txt"}, CHECK: {"check": "false"},
        SCOPE: {"outside": "yes", "check": "grep -q done a.txt"}}),
    "until_dry": ('{ artifact = "a.txt" }', {LOST: {"lost": "*round-1*"}, ALL: {"lost": "*round-*"}}),
    "tournament": ('{ candidates = %s, criteria = { "short" } }' % DRAFTS, {
        LOST: {"lost": "*round-1*match-1*"}, ALL: {"lost": "judge:*"}}),
}
# These judges fail in another way: their answer omits a candidate.
INCOMPLETE = '\'{"scores": {"1": {"score": 2, "reason": "r"}}, "reason": "r"}\''
SCORES = '\'{"scores": {"1": {"score": 2, "reason": "r"}, "2": {"score": 8, "reason": "r"}}, "reason": "r"}\''


def run(folder, pattern, options, change):
    """Returns the verdict of one run in a fresh repository."""
    repo, home = os.path.join(folder, "repo"), os.path.join(folder, "home")
    os.makedirs(repo)
    os.makedirs(home)
    for name in ("a", "b"):
        with open(os.path.join(repo, name + ".txt"), "w", encoding="utf-8") as out:
            out.write(name + "\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", repo]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "files"]):
        subprocess.run(git + words, check=True, stdout=subprocess.DEVNULL)
    text = AGENT.replace("LOST", change.get("lost", "nobody")).replace("PASS", change.get("pass", "true"))
    text = text.replace("OUTSIDE", change.get("outside", "no")).replace("SCORES", change.get("scores", SCORES))
    writes = "scope" in options or "paths" in options
    agent = os.path.join(folder, "agent")
    with open(agent, "w", encoding="utf-8") as out:
        out.write(text.replace("WRITES", "yes" if writes else "no"))
    os.chmod(agent, 0o755)
    script = os.path.join(folder, "p.lua")
    with open(script, "w", encoding="utf-8") as out:
        # In a scope, each step has its own folder. Its name tells the agent which worker it is.
        out.write("return ctx:scope({ name = 'in' }, function(c) return m.patterns.%s(c, %s) end)\n" % (
            pattern, options.replace("CHECK", change.get("check", "true"))))
    env = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "MOONLET_"))}
    done = subprocess.run([MOONLET, "run", script, "--repo", repo, "--allow", "all", "--json", "--runner",
                           "command:%s {out}" % agent], cwd=repo, env={**env, "HOME": home}, text=True,
                          capture_output=True, stdin=subprocess.DEVNULL, timeout=120)
    try:
        found = json.loads(done.stdout)["run"]["verdict"]
    except (ValueError, TypeError, KeyError):
        return "no envelope: " + done.stdout + done.stderr
    return found if CODES.get(found) == done.returncode else "%s, with exit code %d" % (found, done.returncode)


def table(verdicts):
    lines = ["| pattern | %s |\n" % " | ".join(HEADS), "|" + "---|" * (1 + len(HEADS)) + "\n"]
    for name in PATTERNS:
        lines.append("| `%s` | %s |\n" % (name, " | ".join(verdicts[name].get(i, "") for i in range(len(HEADS)))))
    return "".join(lines)


def main():
    work = tempfile.mkdtemp(prefix="moonlet-patterns-")
    jobs, verdicts, failed, count = {}, {}, 0, 0
    try:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for name, (options, columns) in PATTERNS.items():
                if WORD not in name:
                    continue
                cases = {"as it should be": {}, **{HEADS[i]: change for i, change in columns.items()}}
                if "criteria" in options:
                    cases["a judge leaves a candidate out"] = {"scores": INCOMPLETE}
                for case, change in cases.items():
                    folder = os.path.join(work, "%s-%d" % (name, len(jobs)))
                    jobs[name, case] = pool.submit(run, folder, name, options, change)
        for (name, case), job in jobs.items():
            verdict, count = job.result(), count + 1
            wanted = None
            if case in HEADS:
                verdicts.setdefault(name, {})[HEADS.index(case)] = verdict
                wanted = CODES
            elif case == "as it should be":
                wanted = ["ok"]
            else:
                wanted = ["degraded"] if LAST in PATTERNS[name][1] else ["failed"]
            if verdict not in wanted:
                failed += 1
                print("FAILED  %s, %s: %s" % (name, case, verdict))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    with open(GUIDE, encoding="utf-8") as given:
        guide = given.read()
    before, rest = guide.split(BEGIN)
    old, after = rest.split(END)
    if WORD == "":
        count += 1
        new = table(verdicts)
        if os.environ.get("MOONLET_UPDATE") and new != old:
            with open(GUIDE, "w", encoding="utf-8") as out:
                out.write(before + BEGIN + new + END + after)
        elif new != old:
            failed += 1
            print("FAILED  the table of verdicts in presets/PATTERNS.md differs from the runs: MOONLET_UPDATE=1 writes it")
            print(new)
    print("%d passed, %d failed" % (count - failed, failed))
    return 1 if failed else 0


sys.exit(main())
