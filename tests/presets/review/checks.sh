# Defines the cases of the diff checks.

case_look_alikes() {
  repo
  plant "$here/lookalikes.txt"
  echo >>README.md && commit 'Touch'
  review --target HEAD~1
  want '[(f.rule, f.file, f.line) for f in found] == []'
}

# reported RULE FILE LINE expects the rule's only finding at this line; LINE may be None.
reported() { want "[(f.file, f.line) for f in found if f.rule == '$1'] == [('$2', $3)]"; }
silent() { want "[(f.file, f.line) for f in found if f.rule == '$1'] == []"; }

case_removed_and_used() {
  repo
  mkdir lib
  printf 'def parse(text):\n    return text\n\n\ndef strip(text):\n    return text\n' >lib/names.py
  printf 'from names import parse, strip\nprint(parse(strip("a")))\n' >lib/use.py
  commit base
  printf 'def strip(text):\n    return text\n' >lib/names.py
  review
  reported removed-and-used lib/use.py 1
  printf 'from names import strip\nprint(strip("a"))\n' >lib/use.py
  review
  silent removed-and-used
  reported public-name-removed lib/names.py None
  printf 'from names import parse\n' >lib/a.py
  printf 'import sys\nfrom names import parse\n' >lib/b.py
  review
  reported removed-and-used lib/a.py 1
  want '[f.claim for f in found if f.rule == "removed-and-used"] == ["`parse` was removed from lib/names.py and is still used here, and in lib/b.py:2."]'
  rm lib/a.py lib/b.py
  commit 'Remove parse'
  printf 'import names\nprint(names.parse("a"))\n' >lib/late.py
  commit 'Use what went'
  review --target HEAD~2..HEAD
  reported removed-and-used lib/late.py 2
}

case_removed_and_exported() {
  repo
  printf '__all__ = ["one", "two"]\n\n\ndef one():\n    pass\n\n\ndef two():\n    pass\n' >a.py
  printf "export { half } from './math';\n" >index.js
  printf 'export function half(n) {\n  return n / 2;\n}\nexport function sum(a, b) {\n  return a + b;\n}\n' >math.js
  commit base
  printf '__all__ = ["one", "two"]\n\n\ndef one():\n    pass\n' >a.py
  printf 'export function sum(a, b) {\n  return a + b;\n}\n' >math.js
  review
  want 'sorted((f.file, f.line) for f in found if f.rule == "removed-and-exported") == [("a.py", None), ("index.js", 1)]'
}

case_raised_versions() {
  repo
  printf '{\n  "engines": { "node": ">=16" },\n  "dependencies": {\n    "left": "^1.2.0",\n    "right": "^1.2.0"\n  }\n}\n' >package.json
  printf 'module x\n\ngo 1.20\n' >go.mod
  commit base
  sed -i 's/>=16/>=20/; s/"left": "^1.2.0"/"left": "^2.0.1"/; s/"right": "^1.2.0"/"right": "^1.9.0"/' package.json
  sed -i 's/1.20/1.22/' go.mod
  review
  want 'sorted((f.file, f.line) for f in found if f.rule == "engine-raised") == [("go.mod", 3), ("package.json", 2)]'
  reported dependency-raised package.json 4
  want "any('left from 1.2.0 to 2.0.1' in f.claim for f in found)"
}

case_manifest_without_lock() {
  project
  sed -i 's/"left": "^1.2.0"/"left": "^1.2.0",\n    "right": "^3.0.0"/' package.json
  commit 'Add right'
  review
  reported manifest-without-lock package.json 5
}

case_lock_disagrees() {
  project
  sed -i 's/"left": "^1.2.0"/"left": "^1.2.0",\n        "right": "^3.0.0"/' package-lock.json
  commit 'Add right'
  review
  reported lock-disagrees package-lock.json None
  sed -i 's/"version": "1.2.0"/"version": "1.2.1"/; /"right"/d; s/"left": "^1.2.0",/"left": "^1.2.0"/' package-lock.json
  commit 'Update left'
  review
  silent lock-disagrees
  printf 'module x\n\nrequire example.org/a v1.0.0\n' >go.mod && echo 'example.org/a v1.0.0 h1:x=' >go.sum
  commit 'Go'
  sed -i 's/v1.0.0/v1.1.0/' go.mod && echo >>go.sum
  review
  reported lock-disagrees go.mod 3
}

case_code_without_tests() {
  project
  printf '\nfunction half(n) {\n  if (n %% 2) {\n    throw new Error("odd");\n  }\n  return n / 2;\n}\n' >>src/one.js
  commit 'Halve'
  review
  reported code-without-tests src/one.js 4
  printf "test('half', () => expect(require('../src/one').half(2)).toBe(1));\n" >>tests/one.test.js
  commit 'Test half'
  review --target HEAD~2..HEAD
  want 'found == []'
}

case_documents() {
  project
  mkdir docs
  printf '# Shop\n\nSee `src/old.js`, and run it with `--fast-mode`.\n' >docs/guide.md
  printf '# Changes\n\nsrc/old.js is new.\n' >CHANGELOG.md
  printf 'module.exports = 1;\n' >src/old.js
  printf "program.option('--fast-mode', 'be fast');\nprogram.option('--slow-mode', 'be slow');\n" >src/cli.js
  commit 'Documents'
  git rm -q src/old.js
  sed -i 1d src/cli.js
  printf 'See [the guide](docs/guide.md) and [more](docs/more.md).\n```\n[x](gone.md)\n```\n' >README.md
  review
  want 'sorted((f.file, f.line) for f in found if f.rule == "stale-document") == [("docs/guide.md", 3)]'
  reported broken-link README.md 1
}

case_leftovers() {
  project
  printf 'def f(x):\n    breakpoint()\n    print("here")\n    """\n    breakpoint()\n    """\n    return x  # %s\n' TODO >src/f.py
  printf 'p = "/home/jane/shop/data"\nurl = "a#b TODO"\n' >src/home.py
  printf "test.only('one', () => {});\n" >tests/two.test.js
  printf '// %s: try again\nmodule.exports = 1;\n' 'DO NOT COMMIT' >src/g.js
  echo x >src/f.py.orig
  review
  reported breakpoint src/f.py 2
  reported debug-print src/f.py 3
  reported todo-added src/f.py 7
  reported home-path src/home.py 1
  reported focused-test tests/two.test.js 1
  reported not-for-others src/g.js 1
  reported stray-file src/f.py.orig None
}

case_secrets() {
  repo
  echo base >README.md && commit base
  key="AKIA$(printf 'Q3EGV7L2TWYKX4NB')"
  printf 'key = "%s"\n' "$key" >app.py
  echo x >id_rsa
  review
  reported secret app.py 1
  reported secret-file id_rsa None
  if grep -rq "$key" .agent; then echo "the secret stands in an artifact"; fi
}

# A check can be switched off by its name, on the command line and in a comment.
case_switched_off() {
  project
  printf 'def f():\n    breakpoint()\n    print("here")  # moonlet: ignore debug-print\n' >src/f.py
  printf 'def g():\n    # moonlet: ignore\n    breakpoint()\n    breakpoint()  # moonlet: ignore debug-print\n' >src/g.py
  review
  want 'sorted((f.file, f.line, f.rule) for f in found) == [("src/f.py", 2, "breakpoint"), ("src/g.py", 4, "breakpoint")]' \
    'sorted((s.file, s.line) for s in r.checked.silenced) == [("src/f.py", 3), ("src/g.py", 2), ("src/g.py", 4)]'
  review --diff-checks=-breakpoint
  want 'found == []'
  review --diff-checks todo-added
  want 'found == []'
  review --diff-checks none
  want 'found == []'
  review --diff-checks=-brakpoint
  want 'code == 2' '"brakpoint" in error.message' '"breakpoint" in error.hint'
  review --diff-checks list
  want 'code == 0' '"breakpoint" in [c.name for c in r.diff_checks]' 'len(r.diff_checks) == 20'
}

case_baseline() {
  project
  printf 'def f():\n    breakpoint()\n' >src/f.py
  review --write-baseline old.json
  want '[f.rule for f in found] == ["breakpoint"]'
  review --baseline old.json --target src/f.py
  want 'found == []' '"hides 1 finding" in " ".join(r.checked.notes)'
  printf '\n\ndef f():\n    breakpoint()\n\n\ndef g():\n    breakpoint()\n' >src/f.py
  review --baseline old.json
  want '[(f.rule, f.line) for f in found] == [("breakpoint", 8)]'
  echo nonsense >old.json
  review --baseline old.json
  want 'code != 0' '"is not a baseline" in error.message'
}
