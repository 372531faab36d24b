# shellcheck shell=bash disable=SC2016
# Builds the repository of most cases with a commit of each kind of file. It runs under `bash -e`.
git init -q -b main "$1"
cd "$1" || exit 1
mkdir -p docs src/auth src/hooks src/locales tests tests/fixtures skills/alpha/templates skills/alpha/scripts skills/beta \
  skills/_shared .github/workflows migrations lib assets
printf '# Project\n\nWhat it is for.\n' >README.md
printf '# Guide\n\nHow to use it.\n' >docs/guide.md
printf 'MIT License\n\nCopyright (c) 2024 the authors\n' >LICENSE
cat >src/app.py <<'PY'
# The entry point.
import sys


def main():
    # Say hello.
    text = """
    # not a comment
    """
    print("hello", text)
    return 0


sys.exit(main())
PY
cat >src/auth/login.py <<'PY'
# Logging in.
def login(name, word):
    # Nothing is checked yet.
    return False
PY
printf 'def test_main():\n    assert True\n' >tests/test_app.py
printf 'def test_auth():\n    assert True\n' >tests/auth_test.py
printf 'one\n' >tests/fixtures/input.txt
printf 'export function run() {\n  return 1;\n}\n' >src/index.js
printf 'export const useThing = () => 1;\n' >src/hooks/useThing.js
printf '{ "login": "Log in" }\n' >src/locales/auth.json
printf '.login { color: red; }\n' >src/login.css
printf 'def tokens(text):\n    return text.split()\n' >lib/tokenizer.py
printf 'class Author:\n    pass\n' >lib/author.py
printf 'SELECT 1;\n' >lib/report.sql
cat >package.json <<'JSON'
{
  "name": "project",
  "version": "1.0.0",
  "license": "MIT",
  "scripts": {
    "test": "node --test",
    "lint": "eslint ."
  },
  "dependencies": {
    "left": "^1.0.0"
  }
}
JSON
printf '{\n  "name": "project",\n  "lockfileVersion": 3\n}\n' >package-lock.json
printf '[project]\nname = "project"\n\n[tool.pytest.ini_options]\ntestpaths = ["tests"]\n' >pyproject.toml
printf 'on: push\njobs:\n  test:\n    steps:\n      - run: npm test\n' >.github/workflows/ci.yml
printf 'API_KEY=your-key-here\n' >.env.example
printf -- '---\nname: alpha\ndescription: Does alpha.\n---\n# Alpha\nRun scripts/go.py.\n' >skills/alpha/SKILL.md
printf 'Hello {{name}}\n' >skills/alpha/templates/note.md
printf 'print("go")\n' >skills/alpha/scripts/go.py
printf -- '---\nname: beta\ndescription: Does beta.\n---\n# Beta\n' >skills/beta/SKILL.md
printf '# What all skills say\n' >skills/_shared/common.md
printf '# The skills here\n' >skills/README.md
printf '#!/bin/sh\n# Copies the skills.\ncp -R skills/* "$1"\n' >install.sh
printf 'CREATE TABLE a (id int);\n' >migrations/001_init.sql
printf 'FROM scratch\n' >Dockerfile
printf '\000\001\002' >assets/blob.bin
git add -A
git commit -q -m 'Begin'
