---@meta _

--- The ctx of a script, which is a Lua file that does not return a preset.
--- A preset gets its ctx as the first argument of `run`.
---@type moonlet.Ctx
ctx = nil

--- The library, which `require "moonlet"` returns.
---@type moonlet.m
m = nil

--- Contains the command line's words after the script's name.
---@type string[]
args = {}
