-- Irreversible commands in many forms, and commands that only look like them. Each line has the action that a person
-- is asked about ("ok" for none) and the command. A shell that names such words asks, even where it only prints them.
local irreversible = require "moonlet.engine.effects.irreversible"
local command = require "moonlet.engine.runner.command"

local short = { push = "git push", tag = "git tag", upload = "release upload", issue = "public issue creation",
  job = "job submission", alias = "git with an alias of its own" }

local lines = [==[
push: git push
push: git push origin HEAD:refs/heads/x
push: /usr/bin/git push
push: git -C dir -c a=b --git-dir=x --work-tree y push
push: git --no-pager push --dry-run
push: /usr/lib/git-core/git-push origin
push: git-push origin
push: git send-pack origin
push: git remote-https origin url
push: git-remote-http origin url
push: git subtree push --prefix=a origin main
push: git subtree --prefix a push origin main
push: git svn dcommit
push: git p4 submit
push: git lfs push origin main
push: git-lfs push origin main
push: git send-email 0001.patch
push: git submodule foreach 'git push'
push: git submodule foreach --recursive git push
push: git rebase --exec 'git push' main
push: git rebase -x 'make && git push' main
push: git rebase --exec='git push' main
push: git bisect run git push
push: git bisect run sh -c 'git push'
push: git filter-branch --tree-filter 'git push' HEAD
push: git difftool -x 'git push' HEAD
git with a command that is not git's own: git for-each-repo --config=a.b push
push: git -c core.pager='git push' log
push: git clone --upload-pack 'git push' . x
push: git clone 'ext::sh -c git% push' x
alias: git -c alias.p=push p
alias: git -c 'alias.p=!git push' p
alias: git --config-env=alias.p=X p
alias: env GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=alias.p GIT_CONFIG_VALUE_0=push git p
git with a command that is not git's own: git p
tag: git tag v1
tag: git tag -d v1
tag: git tag -am 'a message' v1
tag: git tag -m -l v1
tag: git tag --sort=refname v1
tag: git tag --sort refname v1
tag: git tag '--format=%(refname)' v1
tag: git tag --no-list v1
tag: git tag --mess -l v1
tag: git tag -- v1
tag: git tag --column v1
tag: /usr/lib/git-core/git-tag v1
tag: git update-ref refs/tags/v1 HEAD
tag: git update-ref -d refs/tags/v1
tag: git fetch . HEAD:refs/tags/v1
ok: git tag
ok: git tag -l 'v*'
ok: git tag --list
ok: git tag --list 'v*' --sort=-refname
ok: git tag --sort=-refname
ok: git tag '--format=%(refname)'
ok: git tag --contains HEAD
ok: git tag --merged main
ok: git tag --points-at HEAD
ok: git tag -n3
ok: git tag -v v1
ok: git status
ok: git log --grep push
ok: git log '--grep=git push'
ok: git commit -m 'git push'
ok: git commit -am 'do not git push; git push'
ok: git stash push -m tag
ok: git remote show origin
ok: git grep 'git push'
ok: git branch push
ok: git checkout push
ok: git config push.default simple
ok: git fetch origin 'refs/tags/*:refs/tags/*'
ok: git rebase main
ok: git submodule update --init
ok: git submodule foreach 'git status'
ok: git bisect run make test
ok: git -c core.fsmonitor=false --no-pager diff --no-ext-diff HEAD
push: bash -c 'git push'
push: bash -lc 'git push'
push: sh -ec 'git push'
push: bash -euo pipefail -c 'git push origin HEAD'
push: bash -o pipefail -c 'git push'
push: bash +e -c 'git push'
push: bash -c -- 'git push'
push: bash --norc --rcfile x -c 'git push'
push: fish --command='git push'
push: sh -c '>/dev/null git push'
push: sh -c 'git 2>/dev/null push'
push: sh -c 'git >f 2>&1 push'
push: sh -c 'git push &'
push: sh -c "eval 'git push'"
push: sh -c 'eval git push'
push: sh -c 'x="git push"; eval "$x"'
push: sh -c 'x="git push"; $x'
push: sh -c 'P=push G=git; $G $P'
push: sh -c '$G push'
push: sh -c '"$@"' _ git push
push: sh -c 'exec "$@"' _ timeout 5 git push
push: sh -c 'git "$@"' _ push
git with a command that is not known before it runs: sh -c 'git $x'
push: sh -c 'until git push; do :; done'
push: sh -c 'while ! git push; do sleep 1; done'
push: sh -c 'if true; then git push; fi'
push: sh -c 'for i in 1 2; do git push; done'
push: sh -c 'case x in a) git push;; esac'
push: sh -c '(cd x; git push)'
push: sh -c '{ git push; }'
push: sh -c 'p() { git push; }; p'
push: bash -c 'function p { git push; }; p'
push: sh -c 'echo $(git push)'
push: sh -c 'echo "$(git push)"'
push: sh -c 'echo `git push`'
push: sh -c 'echo "${x:-$(git push)}"'
push: bash -c 'cat <(git push)'
push: sh -c 'echo git push | sh'
push: sh -c 'echo git push | bash -s'
push: sh -c 'echo git push | xargs env'
push: sh -c 'echo push | xargs git'
push: bash -c 'sh <<<"git push"'
push: bash -c 'source <(echo git push)'
push: sh -c 'A=1 git push'
push: sh -c "GIT_PAGER='git push' git log"
push: sh -c 'g""it pu\sh'
push: bash -c "$'git' push"
push: bash -c "{git,push}"
push: sh -c 'git${IFS}push'
push: sh -c "trap 'git push' EXIT"
push: sh -c "alias p='git push'"
push: sh -c 'exec git push'
push: sh -c 'command -p git push'
push: bash -c 'builtin command git push'
push: bash -c 'coproc git push'
push: bash -c 'time -p git push'
push: sh -c "sh -c 'git push'"
push: sh -c "echo 'it is open; git push"
push: sh -c 'true && git push || false'
push: sh -c 'x=$((1<<2)); git push'
tag: sh -c 'make; A=1 git tag v2'
push: sh -c 'echo git push'
push: sh -c "grep -r 'git push' . | head"
push: sh -c 'git log --grep push | cat'
push: sh -c "git commit -m 'git push'"
push: sh -c '((git push))'
push: sh -c '$( (git push) )'
push: sh -c '((x = 1 << 2)); echo git push'
push: sh -c '# git push'
push: sh -c 'echo "do not git push" > notes'
ok: sh -c 'for f in *.c; do cc -c "$f"; done'
ok: sh -c '$CC -o x x.c && ./x'
ok: sh -c 'git status --short | wc -l'
ok: sh -c 'git -C "$dir" status'
ok: sh -c 'if [ -f push ]; then cat push; fi'
ok: bash -euo pipefail -c 'npm ci && npm test'
ok: sh run.sh
ok: bash tests/run.sh push
push: env A=b git push
push: env -S 'git push origin'
push: env '-Sgit push'
push: env -iS 'git push'
push: env --split-string='git push'
push: env --split-string 'git push'
push: env -S '-i A=b git push'
push: env --chdir . git push
push: env --chdir=. git push
push: env -C . git push
push: env -u HOME -i git push
push: env - git push
push: env 'GIT_EDITOR=git push' git commit
ok: env A=b git status
ok: env
push: timeout 5 git push
push: timeout --signal KILL 9 git push
push: timeout --sig KILL 9 git push
push: timeout -k 5 9 git push
push: timeout --kill-after=5 -s KILL 9 git push
push: nohup nice -n 5 git push
push: nice -5 git push
push: ionice -c 3 git push
push: chrt -b 0 git push
push: taskset 1 git push
push: taskset -c 0 git push
push: setsid -w git push
push: stdbuf -oL -e 0 git push
push: time git push
push: sudo -u me git push
push: sudo -u me -- git push
push: sudo A=b git push
push: sudo -s git push
push: doas -u me git push
push: su -c 'git push'
push: su me -c 'git push'
push: su - me -c 'git push'
push: su --command='git push' me
push: runuser -u me git push
push: runuser -u me -- git push
push: chroot / git push
push: unshare -r git push
push: strace -f -o out git push
push: flock f git push
push: flock -w 5 f git push
push: flock f -c 'git push'
push: script -c 'git push' out
push: script -qc 'git push' out
push: watch git push
push: watch -n 5 'git push'
push: watch -x git push
push: busybox sh -c 'git push'
push: xargs git push
push: xargs -a file git push
push: xargs -n 1 git push
push: xargs -I{} sh -c 'git push {}'
git with a command that is not known before it runs: xargs git
git with a command that is not known before it runs: xargs -I{} git {}
push: find f -exec git push ;
push: find f -execdir sh -c 'git push' ;
push: find f -exec true ; -exec git push {} +
push: parallel git push ::: origin
push: parallel ::: 'git push'
git with a command that is not known before it runs: parallel git ::: push
push: ssh host git push
push: ssh -p 22 host 'cd x && git push'
push: tmux new-session -d 'git push'
push: unknown-wrapper --x y git push
push: unknown-wrapper --cmd='cd x; git push'
push: unknown-wrapper sh -c 'git push'
push: python3 -c 'import os; os.system("git push")'
push: python3 -c 'subprocess.run(["git", "push"])'
push: perl -e 'exec qw(git push)'
push: node -e 'require("child_process").execSync("git push")'
push: awk 'BEGIN { system("git push") }'
push: tar cf x.tar --checkpoint-action=exec='git push' x
push: sed '1e git push' f
push: npm exec -- git push
push: npx git push
push: npm exec -c 'git push'
push: docker run image sh -c 'git push'
push: timeout 5 echo git push
ok: timeout 5 git status
ok: nice make
ok: xargs
ok: xargs rm
ok: find . -name push -print
push: find . -exec grep 'git push' {} ;
ok: echo git push
ok: printf '%s\n' 'git push'
ok: grep -r 'git push' .
ok: rg 'git push'
ok: cat push
ok: ls git push
push: sed 's/git push/git pull/' f
ok: command -v git
ok: which git
ok: man git push
ok: python3 script.py push
ok: python3 -m pytest -k push
ok: python3 -c 'print("push")'
ok: node index.js
ok: make
ok: make push-button
ok: claude -p 'never run git push'
push: my-agent --print 'please do not git push'
upload: gh release create v1
upload: gh release -R o/r create v1
upload: gh -R o/r release create v1
upload: gh release --repo=o/r upload v1 f
issue: gh issue create --title x
issue: gh -R o/r issue create
issue: gh --repo o/r issue --unknown x create
push: gh pr merge 5
a change by gh api: gh api -X POST repos/x
a change by gh api: gh api repos/x -XPOST
a change by gh api: gh api repos/x --method=PATCH
a change by gh api: gh api repos/x/issues -f title=x
a change by gh api: gh api repos/x/issues -ftitle=x
a change by gh api: gh api repos/x/issues --field=title=x
a change by gh api: gh --hostname h api repos/x --input f
a change by glab api: glab api -X POST projects/1/issues
upload: glab release -R o/r create v1
issue: glab issue create
a change by the web: curl -X POST https://api.github.com/repos/o/r/issues
a change by the web: curl -d '{}' https://api.github.com/repos/o/r/issues
ok: curl https://api.github.com/repos/o/r/issues
ok: curl -d x http://localhost:8080/
ok: gh issue list
ok: gh issue list --label create
ok: gh issue list --search 'git push'
ok: gh release list
ok: gh pr view 5
ok: gh api repos/x
ok: gh api -X GET search/issues -f q=x
upload: npm publish --tag x
upload: npm --registry r publish
upload: npm --unknown r publish
upload: pnpm -r publish
upload: pnpm --filter x publish
upload: yarn publish
upload: yarn npm publish
upload: yarn workspace x npm publish
upload: npx npm publish
upload: cargo publish
upload: cargo +nightly publish
upload: cargo --locked publish
upload: twine upload dist/x
upload: twine --no-color upload dist/x
upload: python -m twine upload dist/x
upload: python3.11 -mtwine upload dist/x
upload: python3 -W ignore -m twine upload dist/x
upload: uv publish
upload: uv --directory d publish
upload: poetry -C d publish
upload: poetry run twine upload x
upload: bundle exec gem push x
upload: docker push x
upload: docker --context c push x
upload: docker --unknown c image push x
upload: docker build --push .
upload: podman push x
upload: /opt/bin/podman --log-level debug push x
upload: sh -c 'npm publish'
ok: npm test
ok: npm run build
ok: npm install semantic-release
ok: pip install twine
ok: cargo build
ok: cargo test publish
ok: cargo build --features publish
ok: docker build .
ok: docker build -t push .
ok: docker run --rm image make
ok: podman ps
ok: uv run pytest
ok: poetry install
job: sbatch job.sh
job: /opt/slurm/bin/sbatch -p gpu job.sh
job: qsub -q x job.sh
job: bsub -J x ./job
job: nohup nice -n 5 qsub x
job: kubectl create job x
job: kubectl -n ns create job x
job: kubectl create -n ns job x
job: kubectl --context=c apply -f x
job: aws batch submit-job --job-name x
job: aws --profile p batch submit-job
job: gcloud builds submit
job: gcloud --project p ai-platform jobs submit training x
job: az ml job create -f x
ok: kubectl get jobs
ok: kubectl -n ns get pods
ok: squeue
ok: man sbatch
ok: aws s3 ls
ok: aws batch describe-jobs
ok: gcloud builds list
ok: az account show
]==]

local count = 0
for line in lines:gmatch("[^\n]+") do
  local wanted, text = line:match("^(.-): (.*)$")
  local expected = wanted ~= "ok" and (short[wanted] or wanted) or nil
  is(tostring(irreversible.action(command.split(text))), tostring(expected), text)
  count = count + 1
end
is(count > 250, true, "how many there are")

-- Commands that a table line cannot hold.
local deep = "git push"
for _ = 1, 40 do deep = "eval '" .. deep:gsub("'", "'\\''") .. "'" if #deep > 20000 then break end end
for i, case in ipairs {
  { { "sh", "-c", "git \\\n push origin" }, nil, "git push" },
  { { "sh", "-c", "echo a\ngit push" }, nil, "git push" },
  { { "sh", "-c", "cat <<'E' | sh\ngit push\nE\n" }, nil, "git push" },
  { { "sh", "-c", "sh <<E\ngit push\nE\n" }, nil, "git push" },
  { { "sh", "-c", "cat <<E\n$(git push)\nE\n" }, nil, "git push" },
  { { "sh", "-c", "cat <<E\nit's done\nE\ngit push" }, nil, "git push" },
  { { "sh", "-c", "cat <<'E' > notes\ngit push\nE\n" }, nil, "git push" },
  { { "sh", "-c", deep }, nil, "git push" },
  { { "sh", "-c", ("("):rep(500) .. "git push" .. (")"):rep(500) }, nil, "git push" },
  { { "sh", "-c", ("echo a; "):rep(60000) .. "git push" }, nil, "git push" },
  { { "sh" }, { stdin = "git push origin\n" }, "git push" },
  { { "bash", "-s", "x" }, { stdin = "make\ngit push" }, "git push" },
  { { "sh", "/dev/stdin" }, { stdin = "git push" }, "git push" },
  { { "env", "A=b", "dash" }, { stdin = "git push" }, "git push" },
  { { "sudo", "sh" }, { stdin = "git push" }, "git push" },
  { { "sh", "-c", "sh" }, { stdin = "git push" }, "git push" },
  { { "sh", "-c", ". /dev/stdin" }, { stdin = "git push" }, "git push" },
  { { "ssh", "host" }, { stdin = "git push" }, "git push" },
  { { "at", "now" }, { stdin = "git push" }, "git push" },
  { { "parallel" }, { stdin = "git push\n" }, "git push" },
  { { "xargs", "env" }, { stdin = "git push\n" }, "git push" },
  { { "python3" }, { stdin = "import os; os.system('git push')" }, "git push" },
  { { "python3", "-" }, { stdin = "import os; os.system('git push')" }, "git push" },
  { { "git", "update-ref", "--stdin" }, { stdin = "create refs/tags/v1 HEAD\n" }, "git tag" },
  { { "git", "update-ref", "--stdin" }, { stdin = "create refs/heads/x HEAD\n" } },
  { { "sh" }, { stdin = "echo git push\n" }, "git push" },
  { { "sh", "-c", "cat" }, { stdin = "git push\n" } },
  { { "bash", "-c", "cat", "_", "Never git push." }, { prose = true } },
  { { "timeout", "9", "bash", "-o", "pipefail", "-c", "git push" }, { prose = true }, "git push" },
  { { "my-agent", "-p", "Read src/sh and never git push." }, { prose = true } },
  { { "cat" }, { stdin = "git push\n" } },
  { { "sh", "run.sh" }, { stdin = "git push\n" } },
  { { "python3", "run.py" }, { stdin = "git push\n" } },
  { { "make" }, { env = { GIT_CONFIG_COUNT = "1", GIT_CONFIG_KEY_0 = "alias.p", GIT_CONFIG_VALUE_0 = "push" } },
    "git with an alias of its own" },
  { { "git", "log" }, { env = { GIT_PAGER = "git push" } }, "git push" },
  { { "bash", "-c", "ls" }, { env = { ["BASH_FUNC_ls%%"] = "() { git push; }" } }, "git push" },
  { { "make" }, { env = { MODE = "push", LANG = "C", OFF = false, N = 5 } } },
  { { "my-agent", "-p", "Look.\ngit push\nwas done." }, { prose = true } },
  { { "sh", "-c", "git push" }, { prose = true }, "git push" },
} do
  is(tostring(irreversible.action(case[1], case[2])), tostring(case[3]), "case " .. i)
end
