--- Lists irreversible commands: programs, and words after them that change what others see.
local M = {}

local upload, issue, job, push = "release upload", "public issue creation",
  "job submission", "git push"

--- Maps a program to the action that a person must approve, whatever the arguments are. A call of
--- `sbatch`, for example, is always a "job submission".
M.always = {
  sbatch = job, srun = job, salloc = job, qsub = job, qrsh = job, bsub = job, msub = job,
  condor_submit = job, condor_submit_dag = job, oarsub = job, pjsub = job, llsubmit = job,
  ["spark-submit"] = job, ["semantic-release"] = upload, ["release-it"] = upload,
  ["cargo-publish"] = upload, ["cargo-release"] = upload,
}

-- A line such as `npm pnpm: publish, dist-tag add` lists programs, and then the subcommands that a
-- person must approve. A subcommand matches even with options between its words. `…` matches any
-- words.
local lines = {
  { push, [[
    git: push, send-pack, http-push, send-email, imap-send, cvsexportcommit, remote-http, remote-https, remote-ftp
    git: remote-ftps, remote-ext, remote-fd, lfs push, subtree push, p4 submit, annex sync
    git: svn dcommit, svn set-tree, svn commit-diff, svn branch, svn tag
    git-lfs: push
    gh: pr merge, pr update-branch, repo sync
    glab: mr merge, mr accept, mr rebase
    hub: sync, push
  ]] },
  { "git tag", "hub: tag\n npm: version" },
  { upload, [[
    gh hub glab: release create, release upload, release edit, release delete
    gh: release new, release delete-asset, repo create, gist create, gist new, gist edit
    glab: snippet create, repo create
    hub: create, gist create
    tea: release create, releases create
    npm: publish, unpublish, deprecate, dist-tag add
    pnpm: publish, recursive publish, m publish
    yarn: publish, npm publish, npm tag, workspace … publish, workspaces … publish
    bun deno changeset jsr vsce ovsx poetry uv flit hatch pdm: publish
    lerna: publish, version
    cargo: publish, release, yank, workspaces publish
    maturin: publish, upload
    twine: upload, register
    gem: push, yank
    rake goreleaser: release
    mvn: … deploy, … release:perform
    gradle gradlew: … publish
    dotnet: nuget push
    nuget buildah helm oras docker-compose: push
    mix: hex.publish
    cabal stack luarocks conda anaconda: upload
    dart flutter: pub publish
    pod: trunk push
    docker podman nerdctl: push, image push, manifest push, compose push, plugin push
    crane: push, copy
    oras: copy
    skopeo: copy, sync
  ]] },
  { issue, [[
    gh glab hub: issue create
    gh: issue new, issue comment, issue transfer, pr create, pr new, pr comment, pr review
    glab: issue new, issue note, mr create, mr new, mr note, mr for
    hub: pull-request
    tea: issue create, issues create, pr create, pulls create, comment
  ]] },
  { job, [[
    gh: workflow run, run rerun
    glab: ci run, ci retry, ci trigger, pipeline run, pipe run
    kubectl oc: create job, create cronjob, … create -f, … create --filename, apply, replace, run
    oc: start-build
    argo: submit, resubmit
    ray: job submit
    flux: submit, batch, run
    sky: launch, jobs launch
    aws: batch submit-job, ecs run-task, glue start-job-run, emr add-steps, sagemaker create-training-job
    aws: sagemaker create-processing-job, codebuild start-build, stepfunctions start-execution
    gcloud: … submit, … custom-jobs create, … jobs execute, … workflows run
    az: … job create, … task create, … job start, pipelines run
  ]] },
}

---@type table<string, {words: string[], action: string}[]>
M.words = {}
for _, entry in ipairs(lines) do
  for programs, list in entry[2]:gmatch("%s*([^:\n]+): ([^\n]+)") do
    for program in programs:gmatch("%S+") do
      M.words[program] = M.words[program] or {}
      for words in list:gmatch("[^,]+") do
        local one = { action = entry[1], words = {} }
        for word in words:gmatch("%S+") do table.insert(one.words, word) end
        table.insert(M.words[program], one)
      end
    end
  end
end

--- Lists subcommands of git that neither publish nor tag. Any other name may be an alias.
M.git = [[
  add am annotate apply archive bisect blame branch bugreport bundle cat-file check-attr
  check-ignore check-mailmap check-ref-format checkout checkout-index cherry cherry-pick clean clone
  column commit commit-graph commit-tree config count-objects credential describe diagnose diff
  diff-files diff-index diff-pairs diff-tree difftool fast-export fast-import fetch fetch-pack
  filter-branch filter-repo fmt-merge-msg for-each-ref format-patch fsck gc grep gui gitk
  hash-object help hook index-pack init init-db interpret-trailers lfs log ls-files ls-remote
  ls-tree mailinfo mailsplit maintenance merge merge-base merge-file merge-index merge-tree
  mergetool mktag mktree multi-pack-index mv name-rev notes p4 pack-objects pack-redundant pack-refs
  patch-id prune prune-packed pull range-diff read-tree rebase reflog refs remote repack replace
  repo request-pull rerere reset restore rev-list rev-parse revert rm shortlog show show-branch
  show-index show-ref sparse-checkout stage stash status stripspace submodule subtree svn switch
  symbolic-ref tag unpack-file unpack-objects update-index update-ref update-server-info var
  verify-commit verify-pack verify-tag version whatchanged worktree write-tree
]]

--- Lists subcommands of git that execute some of their arguments.
M.git_runs = "archive bisect clone difftool fetch fetch-pack filter-branch ls-remote pull "
  .. "rebase remote submodule"

return M
