---@meta _

--- The ctx of a script, a Lua file that returns no preset. A preset gets it as the first argument of `run`.
---@type moonlet.Ctx
ctx = nil

--- The library, the same as require "moonlet".
---@type moonlet.m
m = nil

--- The words behind a script on the command line.
---@type string[]
args = {}
