#!/bin/sh
# Makes agent.tar.gz with the moonlet in PATH: one finished run, one that waits for a person, one session.
# Paths of the folder and the process ids stay in the records, so it is run in an invented folder:
#   mkdir -p /example/repository && cd /example/repository && HOME=/example make.sh
set -e
git init -q -b main .
git config user.name Example
git config user.email example@example.org
cat >ask.lua <<'L'
return ctx:agent { name = "ask", prompt = "Name the riskiest line." }.text
L
cat >gated.lua <<'L'
ctx:gate { action = "publish" }
return "published"
L
cat >agent <<'END'
#!/bin/sh
cat >/dev/null
echo "Line 1: it is the first."
END
chmod +x agent
git add .
git commit -qm "Begin"
moonlet run ask.lua --allow agents --runner command:./agent
moonlet run gated.lua --allow all || [ $? -eq 3 ]
moonlet session start --name build -- sh -c 'echo "[DONE] all"'
moonlet session wait 1
tar --owner=0 --group=0 --numeric-owner -czf agent.tar.gz .agent
