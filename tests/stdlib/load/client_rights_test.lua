local client_rights = require "moonlet.engine.load.client_rights"
local config = require "moonlet.engine.load.config"

test("a client may do nothing without the config, and its runs are small", function()
  local rights = client_rights.of { mcp = nil }
  same({ #rights.presets, #rights.sessions, #rights.programs }, { 0, 0, 0 }, "what is named")
  is(rights.sandbox, "read-only", "writing")
  is(rights.budget.tokens, 400000, "tokens")
end)

test("the limits of a run are the smaller ones", function()
  local rights = client_rights.of { mcp = { budget = { tokens = 100, wall = "1m" } } }
  local bound = client_rights.bounded({ tokens = 50, wall = "5m", agents = 3 }, rights)
  same({ bound.tokens, bound.wall, bound.agents }, { 50, "1m", 3 }, "bound")
  is(client_rights.bounded({}, rights).tokens, 100, "without a limit of its own")
end)

test("a packet with fields that only a person may set is refused", function()
  local rights = client_rights.of { mcp = { programs = { "npm" } } }
  local function words(text) return { text:match "%S+" } end
  local function check(packet)
    packet.validation = packet.validation or {}
    packet.id = "T-001"
    client_rights.check_packet(rights, packet, words, "codex")
  end
  check { validation = { { command = "npm test" } }, runner = "codex" }
  raises(function() check { validation = { { command = "git push" } } } end, "git", "another program")
  raises(function() check { auto_approve = true } end, "approves its own run", "auto-approve")
  raises(function() check { runner = "command:sh" } end, "command:sh", "another runner")
end)

test("a wrong value of mcp in the config is an error with its line", function()
  for text, part in pairs {
    ['return { mcp = { presets = { "../x" } } }'] = "names of presets",
    ['return { mcp = { sandbox = "none" } }'] = "mcp.sandbox cannot be 'none'",
    ['return { mcp = { vanished = "stay" } }'] = "mcp.vanished cannot be 'stay'",
    ['return { mcp = { budget = { tokens = -1 } } }'] = "mcp.budget.tokens",
    ['return { mcp = { preset = {} } }'] = "no key 'preset'",
  } do
    raises(function() config.read(text, "/x/config.lua") end, part, text)
  end
end)
