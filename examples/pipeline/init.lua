--- Sends each section through three agents: a draft, a critique, a revision. No section waits for
--- another.
local m = require "moonlet"

return m.preset {
  name = "pipeline",
  summary = "Drafts, criticises and revises each section on its own.",
  args = {
    sections = m.arg.list {
      default = { "install", "first run" },
      help = "the sections of the guide",
    },
  },
  needs = { agents = true },

  run = function(ctx, args)
    local texts = ctx:pipeline(args.sections,
      function(c, section)
        return c:agent { name = "draft", prompt = "Write the section: " .. section }.text
      end,
      function(c, draft, section)
        local prompt = "Criticise this section on " .. section .. ":\n" .. draft
        return draft .. "\n\nCritique:\n" .. c:agent { name = "critique", prompt = prompt }.text
      end,
      function(c, work)
        return c:agent { name = "revise", prompt = "Revise it.\n\n" .. work }.text
      end)
    ctx:write("findings.md", table.concat(texts, "\n\n"))
    return { sections = texts }
  end,
}
