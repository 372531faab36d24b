--- Lists the prompts of the Codex CLI on a terminal. A prompt is recognised if all its patterns
--- match lines of the lower part of the screen. `deny` and `approve` are the keys that answer it.
return {
  name = "codex",
  programs = { "codex" },
  sandbox = "runner",
  enter_pause_ms = 400,
  prompts = {
    { kind = "trust", all = { "Trust this folder%?", "^%s*› ?%d%. ", "Trust and continue" },
      approve = { keys = { "enter" } }, deny = { keys = { "ctrl-c" } } },
    { kind = "approval", all = { "^%s*Would you like to ", "1%. Yes, ", "esc to cancel" },
      shows = { "^%s*%$ ", "^%s*Reason: " }, approve = { text = "y" }, deny = { keys = { "escape" } } },
    { kind = "menu", all = { "^%s*› ?%d%. ", "[Pp]ress enter to " }, deny = { keys = { "escape" } } },
  },
  working = { "[Ee]sc to interrupt", "^%s*[◦•]+ Working" },
  ready = { "^› " },
  quota = { "You've hit your usage limit", "[Uu]sage limit reached", "[Rr]ate limit reached", "try again at %d" },
  resume = {
    id = "codex resume ([%x%-]+)",
    by_id = function(id) return { "resume", id } end,
    last = { "resume", "--last" },
    valued = { ["-c"] = true, ["--config"] = true, ["-m"] = true, ["--model"] = true, ["-a"] = true, ["-s"] = true,
      ["--ask-for-approval"] = true, ["--sandbox"] = true, ["-C"] = true, ["--cd"] = true, ["-p"] = true,
      ["--profile"] = true },
    -- `said` matches messages of the user and the agent. `unsaid` matches texts that Codex prints
    -- with these marks at every start.
    said = { "^› (.+)", "^• (.+)" },
    unsaid = { "^%s*%d%. ", "^Ask Codex", "^Booting ", "^Starting MCP", "^Working", "^Explain this codebase",
      "^Summarize recent commits", "^Implement {feature}", "^Find and fix a bug in @filename",
      "^Write tests for @filename", "^Improve documentation in @filename",
      "^Run /review on my current changes", "^Use /skills to list" },
    transcript = {
      variable = "CODEX_HOME", folder = ".codex", beneath = "sessions",
      message = function(entry)
        local payload = type(entry.payload) == "table" and entry.payload or {}
        local is_said = payload.type == "user_message" or payload.type == "agent_message"
        if is_said then return payload.message end
        return payload.type == "message" and (payload.role == "user" or payload.role == "assistant")
          and payload.content or nil
      end,
    },
  },
}
