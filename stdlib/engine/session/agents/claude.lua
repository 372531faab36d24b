--- Lists the prompts of Claude Code on a terminal, with the fields of codex.lua.
return {
  name = "claude",
  programs = { "claude" },
  state = { ".claude", ".claude.json" },
  enter_pause_ms = 300,
  prompts = {
    { kind = "trust", all = { "Quick safety check", "❯ ?1%. Yes, I trust this folder" },
      approve = { keys = { "enter" } }, deny = { keys = { "escape" } } },
    { kind = "approval", all = { "Do you want to ", "❯ ?%d%. ", "Esc to cancel" },
      shows = { "^%s*%S+ command$", "^   %S" }, approve = { text = "1" }, deny = { keys = { "escape" } } },
    { kind = "menu", all = { "❯ ?%d%. ", "Esc to cancel" }, deny = { keys = { "escape" } } },
    { kind = "menu", all = { "❯ ?%d%. ", "Enter to confirm" }, deny = { keys = { "escape" } } },
  },
  working = { "[Ee]sc to interrupt", "⎿  Waiting", "⎿  Running" },
  ready = { "^❯" },
  quota = { "limit reached", "hit your limit", "limit will reset", "resets %d+[ap]m" },
  resume = {
    id = "claude %-%-resume ([%x%-]+)",
    by_id = function(id) return { "--resume", id } end,
    last = { "--continue" },
    valued = { ["--model"] = true, ["--settings"] = true, ["--permission-mode"] = true, ["--mcp-config"] = true,
      ["--allowedTools"] = true, ["--disallowedTools"] = true, ["--append-system-prompt"] = true },
    said = { "^❯ (.+)", "^● (.+)" },
    unsaid = { "^%s*%d%. ", "^Try \"", "/effort$" },
    transcript = {
      variable = "CLAUDE_CONFIG_DIR", folder = ".claude", beneath = "projects",
      message = function(entry)
        local is_said = (entry.type == "user" or entry.type == "assistant") and not entry.isMeta
        return is_said and type(entry.message) == "table" and entry.message.content or nil
      end,
    },
  },
}
