--- Programs, and the words with which they change what others see, git apart (see git.lua).
local shell = require "moonlet.engine.effects.irreversible.shell"

local M = {}

local upload, issue, job, push = "release upload", "public issue creation", "job submission", "git push"

--- Programs with no other purpose.
M.always = {
  sbatch = job, srun = job, salloc = job, qsub = job, qrsh = job, bsub = job, msub = job,
  condor_submit = job, condor_submit_dag = job, oarsub = job, pjsub = job, llsubmit = job, ["spark-submit"] = job,
  ["semantic-release"] = upload, ["release-it"] = upload, ["cargo-publish"] = upload, ["cargo-release"] = upload,
}

--- program -> the words after it -> their action. Options stand anywhere between; `…` is any words.
local by_words = {
  gh = {
    ["release create"] = upload, ["release upload"] = upload, ["release edit"] = upload, ["release delete"] = upload,
    ["release new"] = upload, ["release delete-asset"] = upload, ["issue create"] = issue, ["issue new"] = issue,
    ["issue comment"] = issue, ["issue transfer"] = issue, ["pr create"] = issue, ["pr new"] = issue,
      ["pr comment"] = issue,
    ["pr review"] = issue, ["pr merge"] = push, ["pr update-branch"] = push, ["repo sync"] = push,
    ["repo create"] = upload, ["workflow run"] = job, ["run rerun"] = job, ["gist create"] = upload,
    ["gist new"] = upload, ["gist edit"] = upload,
  },
  glab = {
    ["release create"] = upload, ["release upload"] = upload, ["release delete"] = upload, ["issue create"] = issue,
    ["issue new"] = issue, ["issue note"] = issue, ["mr create"] = issue, ["mr new"] = issue, ["mr note"] = issue,
    ["mr for"] = issue, ["mr merge"] = push, ["mr accept"] = push, ["mr rebase"] = push, ["ci run"] = job,
    ["ci retry"] = job, ["ci trigger"] = job, ["pipeline run"] = job, ["pipe run"] = job, ["snippet create"] = upload,
    ["repo create"] = upload,
  },
  hub = {
    ["release create"] = upload, ["release edit"] = upload, ["release delete"] = upload, ["issue create"] = issue,
    ["pull-request"] = issue, ["gist create"] = upload, ["sync"] = push, ["create"] = upload, ["push"] = push,
      ["tag"] = "git tag",
  },
  tea = { ["release create"] = upload, ["releases create"] = upload, ["issue create"] = issue,
    ["issues create"] = issue,
    ["pr create"] = issue, ["pulls create"] = issue, ["comment"] = issue },
  npm = { publish = upload, unpublish = upload, ["version …"] = "git tag", deprecate = upload,
    ["dist-tag add"] = upload },
  pnpm = { publish = upload, ["recursive publish"] = upload, ["m publish"] = upload },
  yarn = { publish = upload, ["npm publish"] = upload, ["npm tag"] = upload, ["workspace … publish"] = upload,
    ["workspaces … publish"] = upload },
  bun = { publish = upload }, deno = { publish = upload }, lerna = { publish = upload, version = upload },
  changeset = { publish = upload }, jsr = { publish = upload }, vsce = { publish = upload },
    ovsx = { publish = upload },
  cargo = { publish = upload, release = upload, yank = upload, ["workspaces publish"] = upload },
    poetry = { publish = upload },
  uv = { publish = upload }, flit = { publish = upload }, hatch = { publish = upload }, pdm = { publish = upload },
  maturin = { publish = upload, upload = upload }, twine = { upload = upload, register = upload },
  gem = { push = upload, yank = upload }, rake = { release = upload }, goreleaser = { release = upload },
  mvn = { ["… deploy"] = upload, ["… release:perform"] = upload }, gradle = { ["… publish"] = upload },
  gradlew = { ["… publish"] = upload }, dotnet = { ["nuget push"] = upload }, nuget = { push = upload },
  mix = { ["hex.publish"] = upload }, cabal = { upload = upload }, stack = { upload = upload },
  dart = { ["pub publish"] = upload }, flutter = { ["pub publish"] = upload }, pod = { ["trunk push"] = upload },
  luarocks = { upload = upload }, conda = { upload = upload }, anaconda = { upload = upload },
  docker = { push = upload, ["image push"] = upload, ["compose push"] = upload, ["plugin push"] = upload,
    ["manifest push"] = upload },
  podman = { push = upload, ["image push"] = upload, ["manifest push"] = upload }, nerdctl = { push = upload,
    ["image push"] = upload }, buildah = { push = upload }, crane = { push = upload, copy = upload },
      oras = { push = upload },
  skopeo = { copy = upload, sync = upload }, helm = { push = upload }, ["docker-compose"] = { push = upload },
  ["git-lfs"] = { push = push },
  kubectl = { ["create job"] = job, ["create cronjob"] = job, apply = job, replace = job, run = job },
  oc = { ["create job"] = job, apply = job, replace = job, run = job, ["start-build"] = job },
  argo = { submit = job, resubmit = job }, ray = { ["job submit"] = job }, flux = { submit = job, batch = job,
    run = job },
  sky = { launch = job, ["jobs launch"] = job },
  aws = { ["batch submit-job"] = job, ["ecs run-task"] = job, ["glue start-job-run"] = job, ["emr add-steps"] = job,
    ["sagemaker create-training-job"] = job, ["sagemaker create-processing-job"] = job,
    ["codebuild start-build"] = job, ["stepfunctions start-execution"] = job },
  gcloud = { ["… submit"] = job, ["… custom-jobs create"] = job, ["… jobs execute"] = job,
    ["… workflows run"] = job },
  az = { ["… job create"] = job, ["… task create"] = job, ["… job start"] = job, ["pipelines run"] = job },
}

--- Options that take the next word. After any other one, the next word may be its value or not: both are tried.
local with_value = {}
for program, options in pairs {
  gh = "-R --repo --hostname", glab = "-R --repo -g --group", npm = "--registry --prefix -w --workspace --tag --otp",
  pnpm = "--filter -F --dir -C --registry", yarn = "--cwd --registry",
    cargo = "--config --color -Z -C --manifest-path -p",
  docker = "--context -c --config -H --host -l --log-level --tlscacert --tlscert --tlskey",
  podman = "-c --connection --url --log-level --root --runroot --storage-driver",
    uv = "--directory --project --config-file",
  kubectl = "-n --namespace --context --cluster --user --kubeconfig -s --server --as --token --request-timeout",
  aws = "--profile --region --output --endpoint-url --query", gcloud = "--project --account --region --format",
  poetry = "-C --directory -P --project", az = "--subscription --output -o --query",
} do
  with_value[program] = {}
  for option in options:gmatch("%S+") do with_value[program][option] = true end
end

--- True if the words of `argv` from `i` on are `wanted` from `k` on, options between them. `failed` keeps the places
--- that were tried.
local function follows(argv, i, wanted, k, values, failed)
  if not wanted[k] then return true end
  local word, place = argv[i], i * 8 + k
  if not word or failed[place] then return false end
  local hit
  if wanted[k] == "…" then
    hit = follows(argv, i, wanted, k + 1, values, failed) or follows(argv, i + 1, wanted, k, values, failed)
      or not wanted[k + 1]
  elseif word:sub(1, 1) == "-" and word ~= "-" then
    hit = not values[word] and follows(argv, i + 1, wanted, k, values, failed)
      or not word:find("=", 1, true) and follows(argv, i + 2, wanted, k, values, failed)
  elseif word:sub(1, 1) == "+" then
    hit = follows(argv, i + 1, wanted, k, values, failed)
  else
    hit = (word == wanted[k] or word == shell.unknown) and follows(argv, i + 1, wanted, k + 1, values, failed)
  end
  failed[place] = not hit
  return hit
end

--- Longest command line that is parsed: of longer ones only the words count.
local most_words = 150

local function words_action(program, argv)
  local plain = #argv > most_words and shell.mentioned(table.concat(argv, " "))
  local found
  for words, what in pairs(by_words[program]) do
    local wanted, hit = {}, plain and true
    for word in words:gmatch("%S+") do wanted[#wanted + 1] = word end
    if plain then
      for _, word in ipairs(wanted) do hit = hit and (word == "…" or plain[word:match("^[%w_-]+")]) end
    else
      hit = follows(argv, 2, wanted, 1, with_value[program] or {}, {})
    end
    if hit and (not found or what < found) then found = what end
  end
  return found
end

--- gh api, glab api: any method but GET writes.
local function api_writes(program, argv)
  local at
  for i = 2, math.min(#argv, 6) do
    if argv[i] == "api" then at = i break end
  end
  if not at then return nil end
  local writes = false
  for i = at + 1, #argv do
    local word = argv[i]
    local method = (word == "-X" or word == "--method") and argv[i + 1] or word:match("^%-X=?(.+)")
      or word:match("^%-%-method=(.+)")
    if method then return method:upper() ~= "GET" and ("a change by %s api"):format(program) or nil end
    if word:find("^%-[fF]") or word:find("^%-%-field") or word:find("^%-%-raw%-field") or word:find("^%-%-input")
      or word:find("^%-%-form") then
      writes = true
    end
  end
  return writes and ("a change by %s api"):format(program) or nil
end

local services = { "api.github.com", "uploads.github.com", "/api/v4/", "upload.pypi.org", "registry.npmjs.org",
  "crates.io/api" }
local transfers = { curl = true, wget = true, http = true, https = true, xh = true }

--- The action of a web client that sends to a service of releases and issues.
local function sends(argv)
  local text = table.concat(argv, " ")
  local known = false
  for _, host in ipairs(services) do known = known or text:find(host, 1, true) ~= nil end
  if not known then return nil end
  for i = 2, #argv do
    local word = argv[i]
    local method = word:match("^%-%a*X(.*)") or word:match("^%-%-request=?(.*)") or word:match("^%-%-method=?(.*)")
    if method == "" then method = argv[i + 1] end
    if method and not method:upper():find("^GET") and not method:upper():find("^HEAD")
      or word:find("^%-%a*[dFT]") or word:find("^%-%-data") or word:find("^%-%-form") or word:find("^%-%-json")
      or word:find("^%-%-upload%-file") or word:find("^%-%-post%-") or word:find("^%-%-body") or word:find("^P[OUA]")
      or word == "DELETE" then
      return "a change by the web"
    end
  end
end

--- The action of a program in these tables; nil if it is in none or has no such action.
---@param program string
---@param argv string[]
---@return string?
function M.action(program, argv)
  if M.always[program] then
    -- A question for help or the version submits nothing.
    if #argv == 2 and (argv[2] == "--help" or argv[2] == "--version") then return nil end
    return M.always[program]
  end
  if transfers[program] then return sends(argv) end
  if program == "gh" or program == "glab" or program == "hub" then
    local what = api_writes(program, argv)
    if what then return what end
  end
  if program == "docker" or program == "podman" or program == "depot" then
    for i = 2, #argv do
      if argv[i] == "--push" or argv[i] == "--push=true" then return upload end
    end
  end
  if program == "kubectl" or program == "oc" then
    for i = 2, #argv do
      if argv[i] == "create" and (" " .. table.concat(argv, " ", i)):find(" %-%-?f") then return job end
    end
  end
  return by_words[program] and words_action(program, argv)
end

---@param program string
---@return boolean
function M.knows(program) return M.always[program] ~= nil or by_words[program] ~= nil end

--- The action that a text might have if its words were commands: for texts that cannot be parsed.
---@param text string
---@return string?
function M.mention(text)
  local words = shell.mentioned(text)
  if words["git-push"] or words.git and (words.push or words["send-pack"] or words["send-email"] or words.dcommit
    or words["http-push"]) then return push end
  if words["git-tag"] or words.git and words.tag then return "git tag" end
  for program, what in pairs(M.always) do
    if words[program] then return what end
  end
  local found
  for program, list in pairs(by_words) do
    if words[program] then
      for known, what in pairs(list) do
        local all = true
        for word in known:gmatch("[%w_-]+") do all = all and words[word] end
        if all and (not found or what < found) then found = what end
      end
    end
  end
  return found
end

--- Programs of which one is assumed if the program is unknown.
local likely = { "gh", "npm", "twine", "docker" }

--- The action of an unknown program: that of a likely program with its words.
---@param argv string[]
---@return string?
function M.any_program(argv)
  if not argv[2] then return nil end
  for _, program in ipairs(likely) do
    local words = { program, table.unpack(argv, 2) }
    local what = argv[2] ~= shell.unknown and words_action(program, words)
    if what then return what end
  end
end

return M
