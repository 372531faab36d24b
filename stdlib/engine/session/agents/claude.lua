--- The prompts of Claude Code on a terminal; see codex.lua for the fields.
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
    common = { "Claude Code", "Welcome back", "Tips for getting", "for shortcuts", "for agents", "Run /init",
      "What's new", "changelog", "API Usage Billing", "Resume this session", "claude %-%-resume", "Press Ctrl%-C" },
  },
}
