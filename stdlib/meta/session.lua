---@meta _

--- Defines the types of ctx:session, which runs programs on a terminal.

---@class moonlet.SessionCall
---@field argv string[]?          replaces the list items of the table
---@field cwd string?             relative to the top of the repository, which is the default
---@field env table<string, string>?  variables to add to the usual ones
---@field timeout string|number|nil  the program is ended after this time
---@field idle string|number|nil     the program is ended after this time without output
---@field rows integer?           the rows of its terminal, 40 by default
---@field cols integer?           the columns of its terminal, 120 by default
---@field agent "codex"|"claude"|nil  the agent whose prompts are recognised; by default the command decides
---@field writes boolean?         it may write to the work tree; it waits until other writers have ended
---@field detach boolean?         it keeps running after the scope has ended
---@field name string?            the step's key; "session" by default

---@class moonlet.SendOptions
---@field enter boolean?   press Enter afterwards; true by default if there are no `keys`
---@field keys string[]?   press these after the text: "ctrl-c", "up", "enter", "escape" …
---@field name string?     the step's key; "send" by default

---@class moonlet.ExpectOptions
---@field timeout string|number|nil  "1m" by default
---@field name string?     the step's key; "expect" by default

---@class moonlet.ScreenOptions
---@field name string?     the step's key; "screen" by default

---@class moonlet.Expected
---@field text string         the match or its first capture; for "prompt" the kind of prompt
---@field offset integer      the position after the match in the log
---@field state string?       the state of the session; nil for a pattern
---@field exit_code integer?

---@class moonlet.SessionEnd
---@field state string
---@field exit_code integer?
---@field why string?

--- Runs a program on a terminal and controls it.
---@class moonlet.Session
---@field id string   "S-003", for the command line
---@field send fun(self: moonlet.Session, text: string, options: moonlet.SendOptions?): moonlet.Session  types a text
---@field expect fun(self: moonlet.Session, what: string, options: moonlet.ExpectOptions?): moonlet.Expected
---  waits for a Lua pattern in the output after the last match, or for "prompt", "quiet", "marker" or "exit"
---@field screen fun(self: moonlet.Session, options: moonlet.ScreenOptions?): string  returns the text of its screen
---@field close fun(self: moonlet.Session): moonlet.SessionEnd  ends the program
