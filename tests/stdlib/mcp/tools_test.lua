local tools = require "moonlet.engine.mcp.tools"

test("a list is returned in pages, and a foreign cursor is refused", function()
  local list = { "a", "b", "c", "d", "e" }
  local items, cursor = tools.page(list, {}, 2)
  same({ items, cursor }, { { "a", "b" }, "3" }, "the first page")
  items, cursor = tools.page(list, { cursor = cursor }, 2)
  same({ items, cursor }, { { "c", "d" }, "5" }, "the second page")
  items, cursor = tools.page(list, { cursor = cursor }, 2)
  same({ items, cursor }, { { "e" } }, "the last page")
  for _, wrong in ipairs { "1", "6", "x", "-3", "", ("9"):rep(30), 3, {} } do
    raises(function() tools.page(list, { cursor = wrong }, 2) end, "the cursor does not belong to this list", show(wrong))
  end
end)
