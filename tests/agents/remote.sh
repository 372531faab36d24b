# Cases of run.sh on other machines: each case starts its own sshd and Slurm on the loopback interface.
# shellcheck shell=bash

# shellcheck source=tests/late/remote/sshd.sh
. "$here/../late/remote/sshd.sh"
# shellcheck source=tests/late/remote/slurm.sh
. "$here/../late/remote/slurm.sh"

# name_machines TEXT: adds machines to the config of the case.
name_machines() { sed -i "s|^return {|return { machines = { $1 },|" "$XDG_CONFIG_HOME/moonlet/config.lua"; }

keys='env = { "LOCAL_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL" }'

nothing_there() {
  if [ -n "$(ls -A "$LAB/far/attempts")" ]; then echo "left there: $(ls "$LAB/far/attempts")"; fi
}

case_soak_remote_writer() {
  if ! command -v sshd >/dev/null && ! [ -x /usr/sbin/sshd ]; then return; fi
  serve '[{"do": [{"tool": "mkdir src; echo new > src/new.txt; echo more >> README.md; pwd"}, {"text": "Written."}]}]'
  export LAB=$case/lab
  lab_sshd $((20000 + RANDOM % 12000))
  # On that machine, the account has the agents and a separate home.
  mkdir "$LAB/home"
  printf 'SetEnv HOME=%s PATH=%s\n' "$LAB/home" "$cache/node_modules/.bin:$PATH" >>"$LAB/ssh/server"
  lab_sshd_stop all
  lab_sshd_start
  PATH=$LAB/bin:$PATH
  name_machines "big = { ssh = \"far\", dir = \"$LAB/far\", $keys }"
  ask 'prompt = "Write something.", sandbox = "workspace-write", on = "ssh:big"'
  go
  want 'code == 0' 'verdict == "ok"' 'sorted(r.files) == ["README.md", "src/new.txt"]' \
    'sorted(run.files_changed) == ["README.md", "src/new.txt"]' '"/lab/far/attempts/" in str(turns[1].results)'
  if [ "$(cat src/new.txt)" != new ]; then echo "src/new.txt was not brought back"; fi
  if [ "$(tail -n 1 README.md)" != more ]; then echo "README.md was not brought back"; fi
  nothing_there
  lab_sshd_stop all
}

case_soak_remote_array_codex() {
  if ! command -v slurmctld >/dev/null && ! [ -x /usr/sbin/slurmctld ]; then return; fi
  local i rules=
  for i in 1 2 3 4 5 6 7 8; do
    rules+="${rules:+, }{\"when\": \"Write file $i.\", \"do\": [{\"tool\": \"echo new > new-$i\"}, {\"text\": \"Written.\"}]}"
  done
  serve "[$rules]"
  export LAB=$case/lab PATH=$cache/node_modules/.bin:$PATH:/usr/sbin
  mkdir "$LAB"
  lab_slurm $((10000 + RANDOM % 1000 * 8)) || return
  name_machines "slurm = { dir = \"$LAB/far\", partitions = { \"short\" }, $keys }"
  cat >"$case/ask.lua" <<'END'
local list = ctx:parallel({ 1, 2, 3, 4, 5, 6, 7, 8 }, function(c, i)
  return c:agent { name = "w" .. i, prompt = "Write file " .. i .. ".", sandbox = "workspace-write", on = "slurm" }.files_changed
end, { limit = 8 })
local names = {}
for i, files in ipairs(list) do names[i] = files[1] end
return { files = names, text = "" }
END
  limit=150 go
  want 'code == 0' 'verdict == "ok"' 'len(set(r.files)) == 8' 'len(run.files_changed) == 8'
  if [ "$(cat new-* | grep -c new)" != 8 ]; then echo "not all files were brought back"; fi
  if [ "$(squeue -h -t all -o %j | sort -u | wc -l)" -gt 4 ]; then echo "more than four submissions: $(squeue -t all)"; fi
  nothing_there
  lab_slurm_stop
}
