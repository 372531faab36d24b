---@meta _

--- The types of ctx:session: programs on a terminal.

---@class moonlet.SessionCall
---@field argv string[]?          instead of the list in the table itself
---@field cwd string?             relative to the top of the repository, which is the default
---@field env table<string, string>?  variables beside the usual ones
---@field timeout string|number|nil  ends it after this
---@field idle string|number|nil     ends it after this long without output
---@field rows integer?           of its terminal, 40 by default
---@field cols integer?           120 by default
---@field agent "codex"|"claude"|nil  whose prompts to look for; by the command without it
---@field writes boolean?         it may write the work tree, alone: it waits for other writers, and they for it
---@field detach boolean?         it goes on when the scope has ended
---@field name string?            the step's key; "session" without it

---@class moonlet.SendOptions
---@field enter boolean?   press Enter afterwards; true without `keys`
---@field keys string[]?   press these after the text: "ctrl-c", "up", "enter", "escape" …
---@field name string?     the step's key; "send" without it

---@class moonlet.ExpectOptions
---@field timeout string|number|nil  "1m" by default
---@field name string?     the step's key; "expect" without it

---@class moonlet.ScreenOptions
---@field name string?     the step's key; "screen" without it

---@class moonlet.Expected
---@field text string         what matched, or its first capture; for "prompt" the kind of prompt
---@field offset integer      the place in the log behind it
---@field state string?       of the session; not for a pattern
---@field exit_code integer?

---@class moonlet.SessionEnd
---@field state string
---@field exit_code integer?
---@field why string?

--- A program on a terminal.
---@class moonlet.Session
---@field id string   "S-003", for the command line
---@field send fun(self: moonlet.Session, text: string, options: moonlet.SendOptions?): moonlet.Session  types a text
---@field expect fun(self: moonlet.Session, what: string, options: moonlet.ExpectOptions?): moonlet.Expected
---  waits for a Lua pattern in its output, behind the last match, or for "prompt", "quiet", "marker" or "exit"
---@field screen fun(self: moonlet.Session, options: moonlet.ScreenOptions?): string  what its terminal shows
---@field close fun(self: moonlet.Session): moonlet.SessionEnd  ends it
