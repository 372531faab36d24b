-- Twenty steps and a fan-out of paid agents, to test that a resumed run replays everything. Prompts of later
-- agents contain the results of earlier steps. If a resume replayed another result, the prompts would differ,
-- and the agents would be paid for again.
local m = require "moonlet"

return m.preset {
  name = "concert",
  summary = "A long run to be killed and resumed.",
  args = {
    agents = m.arg.integer { default = 40, help = "how many agents side by side" },
    pause = m.arg.string { default = "0.05", help = "how long each of them takes" },
    width = m.arg.integer { default = 8, help = "how many at once" },
  },
  needs = { agents = true, programs = { "date", "sleep", "cat", "true" }, env = { "BILL" } },
  run = function(ctx, args)
    local story = {}
    local function seen(...) story[#story + 1] = table.concat({ ... }, " ") end
    local function ask(c, name, more)
      local call = { name = name, env = { "BILL" },
        prompt = ("%s %s %s\n%s\n"):format(name, args.pause, more or "-", table.concat(story, "\n")) }
      if more == "data" then
        call.schema = { type = "object", required = { "n" }, properties = { n = { type = "integer" } } }
      end
      return c:agent(call)
    end

    seen("date", ctx:exec { "date", "+%s%N" }.stdout)
    seen("now", ctx:now())
    seen("random", ctx:random(1 << 40))
    seen("plan", ctx:step("plan", { input = args.agents }, function(c)
      return { at = c:now(), by = c:exec { "date", "+%N" }.stdout }
    end).at)
    local first_words = ask(ctx, "scout").text

    local items, order = {}, {}
    for i = 1, args.agents do items[i] = "a" .. i end
    local answers = ctx:parallel(items, function(c, item)
      local text = ask(c, item).text
      order[#order + 1] = item
      if #item == 2 then c:exec { "cat", stdin = text } end
      return text
    end, { limit = args.width, key = function(item) return item end })
    seen("order", table.concat(order, " "))

    local settled = ctx:parallel({ "x1", "x2", "x3" }, function(c, item)
      return ask(c, item, item == "x2" and "fail" or nil).text
    end, { settle = true, key = function(item) return item end })
    seen("settled", tostring(settled[1].ok), tostring(settled[2].ok), tostring(settled[3].ok))

    local piped = ctx:pipeline({ "p1", "p2", "p3" },
      function(c, value) return ask(c, value).text end,
      function(c, value) return c:exec { "cat", stdin = value .. c:random(1 << 30) }.stdout end,
      { key = function(item) return item end })
    seen("piped", table.concat(piped, " "))

    local n = ask(ctx, "counter", "data").data.n
    -- A run that failed repeats these two blocks when it is resumed. Both have the same result even on a slow
    -- machine, because prompts below contain it.
    local first
    pcall(ctx.scope, ctx, { name = "race" }, function(s)
      s:spawn("side", function(c) c:exec { "sleep", "30" } first = first or "tortoise" end)
      s:spawn("side", function(c)
        c:exec { "true" }
        first = first or "hare"
        error { kind = "failed", message = "the race is over" }
      end)
      s:sleep("1h")
    end)
    local ok, late = pcall(ctx.scope, ctx, { timeout = "80ms", name = "late" }, function(s) s:sleep("1h") end)
    seen("race", first, tostring(ok), late and late.kind or "-")

    local deep = ctx:scope({ name = "outer" }, function(s)
      return s:scope({ name = "inner" }, function(t)
        return t:step("deep", {}, function(c) return { t = ask(c, "deep").text, r = c:random(1 << 30) } end)
      end)
    end)
    seen("deep", deep.r)
    for _ = 1, 3 do seen(ask(ctx, "solo").text) end
    ctx:write("story.txt", table.concat(story, "\n") .. "\n")
    return {
      sure = { first_words, answers, n, settled[2].ok, #piped, late.kind, deep.t },
      story = story,
    }
  end,
}
