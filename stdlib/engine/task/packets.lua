--- Reads and writes a repository's task packets, `.agent/tasks/T-001.json`.
--- A malformed packet is reported, and the other packets still work.
local lock_file = require "moonlet.engine.base.lock_file"
local packets = require "moonlet.engine.task.packet"
local record = require "moonlet.record"
local store = require "moonlet.engine.run.store"

local M = {}

local packet_cap = 1 << 20

local function path_of(id) return ("tasks/%s.json"):format(id) end

function M.path(home, id) return home.agent_path .. "/" .. path_of(id) end

local function parse(text, id)
  local packet = packets.parse(text)
  if packet.id ~= id then
    record.refuse(("its id is %s, and its name says %s"):format(packet.id, id),
      "a packet's file is named after its id: give a copy an id of its own")
  end
  return packet
end

--- Reads one packet file. Returns nil and an error if it is malformed.
local function read(root, id)
  local text, err, cut = core.file.read(root, path_of(id), packet_cap)
  if not text then return nil, err end
  if cut then return nil, record.invalid("it is larger than 1 MB") end
  local ok, packet = pcall(parse, text, id)
  if ok then return packet end
  if type(packet) ~= "table" then error(packet, 0) end
  return nil, packet
end

---@class moonlet.PacketFault
---@field file string    path of the packet's file
---@field id string?
---@field message string
---@field hint string?

---@class moonlet.Packets
---@field list moonlet.Packet[]           sorted by number
---@field by_id table<string, moonlet.Packet>
---@field faults moonlet.PacketFault[]

--- Removes packets with circular dependencies or a dependency that does not exist.
local function check_dependencies(home, found)
  local function fault(packet, message, hint)
    found.faults[#found.faults + 1] = { file = M.path(home, packet.id), id = packet.id,
      message = message, hint = hint }
  end
  local bad, state, path = {}, {}, {}
  local function visit(id)
    state[id] = "open"
    path[#path + 1] = id
    for _, other in ipairs(found.by_id[id].depends_on) do
      if found.by_id[other] and not state[other] then
        visit(other)
      elseif state[other] == "open" then
        local circle = { other }
        for i = #path, 1, -1 do
          if path[i] == other then
            for k = i + 1, #path do circle[#circle + 1] = path[k] end
            break
          end
        end
        for _, member in ipairs(circle) do bad[member] = true end
        circle[#circle + 1] = other
        fault(found.by_id[other],
          "packets depend on each other in a cycle: " .. table.concat(circle, " -> "),
          "take one of them out of depends_on")
      end
    end
    path[#path] = nil
    state[id] = "done"
  end
  for _, packet in ipairs(found.list) do
    if not state[packet.id] then visit(packet.id) end
  end
  local files = {}
  for _, item in ipairs(found.faults) do files[item.id or ""] = true end
  for _, packet in ipairs(found.list) do
    for _, other in ipairs(packet.depends_on) do
      if not found.by_id[other] and not files[other] then
        fault(packet, ("%s depends on %s, and there is no such packet"):format(packet.id, other),
          "moonlet task list shows the packets")
        bad[packet.id] = true
        break
      end
    end
  end
  local list = {}
  for _, packet in ipairs(found.list) do
    if not bad[packet.id] then list[#list + 1] = packet end
  end
  found.list, found.bad = list, bad
end

---@return moonlet.Packets
function M.all(home)
  local root = store.root(home)
  local found = { list = {}, by_id = {}, faults = {} }
  local entries, err
  if root then entries, err = core.file.list(root, "tasks") end
  if root and not entries and err.kind ~= "invalid" then error(err, 0) end
  for _, entry in ipairs(entries or {}) do
    local name = entry.name:match "^(.*)%.json$"
    local id = name and packets.id(name)
    local function fault(why)
      found.faults[#found.faults + 1] = { file = home.agent_path .. "/tasks/"
        .. entry.name, id = id,
        message = why.message, hint = why.hint }
    end
    if name and name:sub(1, 1) ~= "." and id ~= name then
      fault(record.invalid("its name is not the id of a packet", "name it like T-001.json"))
    elseif name and id then
      local packet, why = read(root, id)
      if packet then
        found.list[#found.list + 1], found.by_id[id] = packet, packet
      else
        fault(why)
      end
    end
  end
  table.sort(found.list, function(a, b)
    if #a.id ~= #b.id then return #a.id < #b.id end
    return a.id < b.id
  end)
  check_dependencies(home, found)
  return found
end

function M.tell(faults)
  local function printable(text) return core.text.printable(text, 400) end
  for _, fault in ipairs(faults) do
    core.system.print(2, ("moonlet: %s: %s%s\n"):format(printable(fault.file),
      printable(fault.message), fault.hint and "\n  " .. printable(fault.hint) or ""))
  end
end

local function raise(fault)
  error({ kind = "invalid", usage = true, message = fault.message, hint = fault.hint,
    at = fault.file }, 0)
end

--- Returns one packet. Raises an error if it is malformed or missing.
function M.get(home, word)
  local id = packets.id(word)
  if not id then
    record.refuse(("'%s' is not the id of a packet"):format(core.text.printable(word, 40)),
      "write it like T-001")
  end
  local found = M.all(home)
  if found.by_id[id] and not found.bad[id] then return found.by_id[id] end
  for _, fault in ipairs(found.faults) do
    if fault.id == id then raise(fault) end
  end
  for _, fault in ipairs(found.bad[id] and found.faults or {}) do
    if fault.message:find(id, 1, true) then raise(fault) end
  end
  record.refuse(("there is no packet %s"):format(id),
    "moonlet task list shows the packets; moonlet task create makes one")
end

--- Writes an existing packet. Raises an error if its file has changed since it was read.
function M.put(home, packet)
  local root = store.root(home)
  local text = core.file.read(root, path_of(packet.id), packet_cap)
  if not text or core.text.sha256(text) ~= packet.sha256 then
    error({ kind = "failed",
      message = ("someone else has changed %s in the meantime"):format(packet.id),
      hint = "check it with moonlet task show, then repeat the command",
      at = M.path(home, packet.id) }, 0)
  end
  assert(core.file.write(root, path_of(packet.id), packets.text(packet)))
end

--- Creates a packet with the next free id.
---@param fields table  the fields of moonlet.Packet, without the id
function M.create(home, fields)
  core.run.make_home(home.handle)
  local root = store.root(home)
  return lock_file.during(root, "tasks.lock", function()
    assert(core.file.make_dirs(root, "tasks"))
    local number = 0
    for _, entry in ipairs(core.file.list(root, "tasks") or {}) do
      local id = packets.id(entry.name:match "^(.*)%.json$")
      if id then number = math.max(number, math.tointeger(tonumber(id:match "%d+"))) end
    end
    fields.id = ("T-%03d"):format(number + 1)
    local packet = packets.of(packets.record(fields))
    assert(core.file.write(root, path_of(packet.id), packets.text(packet)))
    return packet
  end)
end

return M
