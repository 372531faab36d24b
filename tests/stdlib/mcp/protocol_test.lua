local client = require "moonlet.engine.mcp.client"
local protocol = require "moonlet.engine.mcp.protocol"

local function refused(line)
  local message, err = protocol.read(line)
  is(message, nil, line)
  return err or {}
end

test("a message is a request, a notification or a response", function()
  local request = protocol.read '{"jsonrpc":"2.0","id":"a","method":"ping"}'
  same({ request.kind, request.id, request.method, request.params }, { "request", "a", "ping", {} }, "a request")
  is(protocol.read('{"jsonrpc":"2.0","method":"x","params":{"a":1}}').kind, "notification", "without an id")
  local response = protocol.read '{"jsonrpc":"2.0","id":7,"result":{"a":1}}'
  same({ response.kind, response.id, response.result.a }, { "response", 7, 1 }, "a response")
end)

test("a line that is not a message is refused, with its id if that is readable", function()
  is(refused("{").code, -32700, "broken JSON")
  is(refused("[]").code, -32600, "a batch")
  is(refused("7").code, -32600, "a number")
  local err = refused '{"id":3,"method":"ping"}'
  same({ err.code, err.id }, { -32600, 3 }, "without a version")
  err = refused '{"jsonrpc":"2.0","id":1.5,"method":"ping"}'
  same({ err.code, err.id }, { -32600, nil }, "a fraction as an id")
  is(refused('{"jsonrpc":"2.0","id":null,"method":"ping"}').code, -32600, "null as an id")
  is(refused('{"jsonrpc":"2.0","id":1,"method":7}').code, -32600, "a number as a method")
  err = refused '{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}'
  same({ err.code, err.id }, { -32602, 1 }, "a list of params")
  is(refused('{"jsonrpc":"2.0","id":1}').code, -32600, "neither a method nor an answer")
end)

test("a client gets the revision that it asks for, or the newest that begins with initialize", function()
  for asked, given in pairs { ["2025-06-18"] = "2025-06-18", ["2025-11-25"] = "2025-11-25",
    ["2026-07-28"] = "2025-11-25", ["1999-01-01"] = "2025-11-25" } do
    is(client.of_initialize({ protocolVersion = asked }).revision, given, asked)
  end
  raises(function() client.of_initialize {} end, "protocolVersion", "no revision")
end)

test("a client has forms unless it names only other modes", function()
  local function elicits(capability)
    return client.of_initialize({ protocolVersion = "2025-11-25", capabilities = { elicitation = capability } }).elicits
  end
  is(elicits {}, true, "without a mode")
  is(elicits { form = {} }, true, "form")
  is(elicits { url = {} }, false, "url alone")
  is(elicits(nil), false, "none")
end)
