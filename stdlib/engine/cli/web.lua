--- Implements the help of `moonlet web`, and its error if moonlet-web is not installed.
--- If moonlet-web is installed, lua/main.cpp replaces this process by that web server.
local options = require "moonlet.engine.cli.options"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

M.known = {
  port = { value = "N", help = "a port of 127.0.0.1 (default 8747); 0 takes a free one" },
  socket = { value = "PATH", help = "a Unix socket in place of a port, for ssh -L or a proxy" },
  open = { help = "open the page in your browser" },
  repo = { value = "DIR", many = true,
    help = "a repository or folder; repeat it for several (default: here)" },
  help = { help = "this text" },
}

function M.main(words)
  local _, rest = verbs.read("web", words, M.known)
  options.no_more(rest, 0, "web")
  options.refuse("the server of the page is not installed: there is no moonlet-web beside moonlet",
    "sudo apt install libmicrohttpd-dev, then cmake -S . -B build/release && cmake --build "
      .. "build/release"
    .. " && cmake --install build/release")
end

return M
