---@meta _

--- Defines the types of ctx:session, which runs programs on a terminal.

---@class moonlet.SessionCall
---@field argv string[]?          replaces the list items of the table
---@field cwd string?             relative to the top of the repository (the default)
---@field env table<string, string>?  variables to add to the usual ones
---@field timeout string|number|nil  time after which the program is ended
---@field idle string|number|nil     time without output after which the program is ended
---@field rows integer?           rows of the terminal (default 40)
---@field cols integer?           columns of the terminal (default 120)
---@field agent "codex"|"claude"|nil  agent whose prompts are recognised; default: from the command
---@field writes boolean?         true: may write to the work tree, after other writers have ended
---@field detach boolean?         true: the program continues after the scope has ended
---@field name string?            the step's key; default: "session"

---@class moonlet.SendOptions
---@field enter boolean?   press Enter afterwards; default: true without `keys`
---@field keys string[]?   keys to press after the text: "ctrl-c", "up", "enter", "escape", …
---@field name string?     the step's key; default: "send"

---@class moonlet.ExpectOptions
---@field timeout string|number|nil  default: "1m"
---@field name string?     the step's key; default: "expect"

---@class moonlet.ScreenOptions
---@field name string?     the step's key; default: "screen"

---@class moonlet.Expected
---@field text string         the match or its first capture; for "prompt" the kind of prompt
---@field offset integer      position after the match in the log
---@field state string?       state of the session; nil for a pattern
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
---  waits until the output after the last match matches a Lua pattern, or for one of the events
---  "prompt", "quiet", "marker" and "exit"
---@field screen fun(self: moonlet.Session, options: moonlet.ScreenOptions?): string  returns the text of its screen
---@field close fun(self: moonlet.Session): moonlet.SessionEnd  ends the program
