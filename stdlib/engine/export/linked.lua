--- Links the ES modules of the web page into one script, because browsers refuse to import modules into
--- a page that is opened from a file.
--- Each module becomes a function. Imports must be on one line; exports must be named.
local M = {}

---@param name string  name of a file of stdlib/web, without .js
function M.text(name) return require("moonlet.web." .. name) end

--- Collects a module and the modules that it imports. Imported modules come first.
local function collect(name, list, seen)
  if seen[name] then return end
  seen[name] = true
  local text = M.text(name)
  for other in text:gmatch 'import [^\n]* from "%./([%w_]+)%.js";' do collect(other, list, seen) end
  list[#list + 1] = { name = name, text = text }
end

local function wrapped(module)
  local names = {}
  local text = ("\n" .. module.text):gsub('\nimport (%b{}) from "%./([%w_]+)%.js";',
    "\nconst %1 = modules.%2;")
  text = text:gsub("\nexport (%l[%l ]* ([%a_$][%w_$]*)[ (])", function(declaration, name)
    names[#names + 1] = name
    return "\n" .. declaration
  end)
  return ("modules.%s = (() => {%sreturn { %s };\n})();\n"):format(module.name, text,
    table.concat(names, ", "))
end

--- Returns one script that contains a module and all modules that it imports.
function M.script(name)
  local list, parts = {}, { "const modules = {};\n" }
  collect(name, list, {})
  for _, module in ipairs(list) do parts[#parts + 1] = wrapped(module) end
  return table.concat(parts)
end

return M
