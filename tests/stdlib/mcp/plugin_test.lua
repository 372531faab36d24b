local top = assert(core.file.root(cases .. "/../../.."))

local function json_of(path) return core.json.decode((assert(core.file.read(top, path, 1 << 20)))) end

test("the plugin folder fits the schemas of Agent Plugins", function()
  for _, name in ipairs { "plugin", "mcp" } do
    local schema = json_of(("tests/data/agent-plugins/%s.schema.json"):format(name))
    local value = json_of(("stdlib/plugin/%s.json"):format(name))
    is(core.json.validate(schema, value), nil, name)
    value.other = true
    holds(core.json.validate(schema, value), "other", name .. " with another field")
  end
end)

test("every manifest starts the same server", function()
  for _, path in ipairs { "mcp.json", ".claude-plugin/plugin.json", "gemini-extension.json" } do
    local server = json_of("stdlib/plugin/" .. path).mcpServers.moonlet
    is(server.command .. " " .. server.args[1], "moonlet mcp", path)
  end
  is(core.file.stat(top, "stdlib/plugin/.mcp.json"), nil, "a second file for Claude, which would start it twice")
end)

test("the name of a skill is that of its folder, and its description fits a list", function()
  local whole = 0
  for _, entry in ipairs(core.file.list(top, "stdlib/plugin/skills")) do
    local text = core.file.read(top, ("stdlib/plugin/skills/%s/SKILL.md"):format(entry.name), 1 << 20)
    is(text:match "^%-%-%-\nname: ([%w-]+)\n", entry.name, "the name")
    whole = whole + #text:match "\ndescription: ([^\n]+)\n%-%-%-\n"
  end
  is(whole < 1000, true, ("all descriptions have %d characters"):format(whole))
end)
