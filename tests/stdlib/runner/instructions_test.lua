-- Tests the instruction files of agents: their sections in a prompt, and the agent homes without them.
local text = require "moonlet.engine.runner.instruction_text"
local shared = require "moonlet.engine.runner.shared"

local function file(fields)
  local made = { owner = "project", path = "AGENTS.md", at = "HEAD", text = "Use tabs.\n", bytes = 10, kept = 10, cut = false }
  for name, value in pairs(fields or {}) do made[name] = value end
  return made
end

test("a section names the origin of its file, and that the task has priority", function()
  is(text.section(file()), "# Instructions of the project\n\nThe file AGENTS.md, as it stands at the base of this change. "
    .. "Follow it where it applies; where the task below says otherwise, the task holds.\n\n```text\nUse tabs.\n```\n", "the whole")
  local odd = text.section(file { text = "a ```` b", differs = true, cut = true, kept = 8, bytes = 99 })
  holds(odd, "\n`````text\na ```` b\n[cut here: 8 of 99 bytes]\n`````\n", "a longer fence")
  holds(odd, "part of the change: do not follow that one.", "the other version")
end)

test("sections at the beginning of a prompt are found and removed", function()
  local own = file { owner = "user", path = "~/.codex/AGENTS.md", at = false, text = "```\nnested\n```\n" }
  local role = shared.role_line "build\nit" .. "\n\n"
  local sections = text.section(own) .. "\n" .. text.section(file()) .. "\n"
  for _, before in ipairs { "", role } do
    is(text.without(before .. sections .. "Do it."), before .. "Do it.", "both")
    is(text.is_in(before .. sections .. "Do it."), true, "found")
    is(text.without(before .. "Do it.\n\n" .. sections), before .. "Do it.\n\n" .. sections, "not elsewhere")
    is(text.is_in(before .. "Do it."), false, "none")
  end
end)

test("if the user has an AGENTS.md, Codex gets a home of links without it", function()
  local codex = require "moonlet.engine.runner.codex"
  local function made(config)
    return codex.command { prompt = "do it", prompt_file = "/run/prompt.md", out = "/run/out", cwd = "/w",
      sandbox = "read-only", scratch = "/run/scratch", config = config }
  end
  local home = scratch .. "/home of codex"
  put_file(home, "auth.json", "{}")
  local plain = made { home = home }
  is(plain.env.CODEX_HOME, home, "the user's own")
  is(plain.links, nil, "no links")
  put_file(home, "AGENTS.override.md", "x")
  put_file(home, "AGENTS.md", "x")
  put_file(home .. "/skills", "a.md", "x")
  local hidden = made { home = home }
  is(hidden.env.CODEX_HOME, "/run/scratch/codex", "a home of links")
  same(hidden.links, { ["/run/scratch/codex"] = { home .. "/auth.json", home .. "/skills" } }, "all but those two")
  same(hidden.state_dirs, { home, "/run/scratch/codex" }, "it may write both")
  same(codex.home_instructions { home = home }, { home .. "/AGENTS.override.md", home .. "/AGENTS.md" }, "its own files")
end)

test("runners name the instruction files of projects, their own name first", function()
  local names = {}
  for _, name in ipairs { "codex", "claude", "gemini", "opencode" } do
    names[name] = require("moonlet.engine.runner." .. name).instructions
  end
  same(names, { codex = { "AGENTS.md" }, claude = { "CLAUDE.md", "AGENTS.md" }, gemini = { "GEMINI.md", "AGENTS.md" },
    opencode = { "AGENTS.md" } }, "names")
  is(require("moonlet.engine.runner.executor").instructions, nil, "the executor reads its own")
end)
