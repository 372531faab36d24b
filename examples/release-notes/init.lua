--- Has an agent write release notes, and asks a person to approve exactly that text.
local m = require "moonlet"

return m.preset {
  name = "release-notes",
  summary = "Drafts release notes; a person decides before they are final.",
  args = { since = m.arg.string { default = "HEAD~1", help = "the last release" } },
  needs = { agents = true, programs = { "git" }, read = { "." }, repository = true },

  run = function(ctx, args)
    local log = ctx:exec { "git", "log", "--format=%s", args.since .. "..HEAD",
      check = true }.stdout
    local notes = ctx:agent {
      name = "notes", prompt = "Write release notes.\n\n"
        .. m.prompt.fence("the subjects of the commits", log),
    }.text
    local by = ctx:gate { action = "publish the release notes", why = "users read them",
      show = notes }.by
    ctx:write("notes.md", notes)
    return { notes = notes, approved_by = by }
  end,
}
