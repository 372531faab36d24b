--- Has several agents try different approaches in parallel. The first that works wins, and the
--- others are cancelled.
local m = require "moonlet"

return m.preset {
  name = "first-answer",
  summary = "The first approach that gives a working command wins.",
  args = { goal = m.arg.string { required = true, help = "what the command must do" } },
  needs = { agents = true, programs = { "sh" } },

  run = function(ctx, args)
    local tools = { "awk", "sed", "shell alone" }
    local command, index = ctx:any(tools, function(c, tool)
      local text = c:agent {
        name = tool,
        prompt = ("Write one shell command with %s. It must %s. Answer with it alone."):format(
          tool, args.goal),
      }.text:match "^%s*(.-)%s*$"
      c:exec { "sh", "-n", "-c", text, check = true } -- sh -n only parses the command; nothing runs
      return text
    end, { key = function(tool) return tool end })
    return { command = command, tool = tools[index] }
  end,
}
