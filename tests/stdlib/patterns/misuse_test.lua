-- A pattern checks its options before it starts anything, so these tests pass no ctx.
local p = require("moonlet").patterns

test("two writers of one artifact are refused", function()
  local function sections(a, b) return { task = "x", write = true, sections = { { name = "a", paths = a }, { name = "b", paths = b } } } end
  for _, pair in ipairs { { { "docs" }, { "docs/a.md" } }, { { "a.md" }, { "./x/../a.md" } }, { { "src/*.lua" }, { "src/b.lua" } },
    { { "." }, { "b" } }, { { "x", "a/" }, { "a" } } } do
    raises(function() p.split_sections({}, sections(pair[1], pair[2])) end, "'a' and 'b' would both write", pair[1][1])
  end
  raises(function() p.split_sections({}, sections({ "a" }, {})) end, "'b' writes and has no paths", "no paths")
  raises(function() p.split_sections({}, sections({ "a" }, { "ab" })) end, "method 'plan'", "no overlap")
end)

test("a number out of bounds is refused", function()
  local many = {}
  for i = 1, 17 do many[i] = "c" .. i end
  raises(function() p.triangulated_review({}, { lenses = { "a" } }) end, "lenses is 1, and must be from 2 to 4", "one lens")
  raises(function() p.triangulated_review({}, { lenses = { "a", "b", "c", "d", "e" } }) end, "must be from 2 to 4", "five lenses")
  raises(function() p.triangulated_review({}, { lenses = { "a", "a" } }) end, "has 'a' twice", "one lens twice")
  raises(function() p.review_fix({}, { artifact = "x", scope = "x", top = 11 }) end, "must be from 1 to 10", "fixes")
  raises(function() p.research({}, { topic = "x", questions = { "1", "2", "3", "4", "5", "6", "7" } }) end, "from 1 to 6", "questions")
  raises(function() p.options_sprint({}, { goal = "x", criteria = { "y" }, angles = { "1", "2", "3", "4" } }) end, "from 2 to 3", "options")
  raises(function() p.vote({}, { question = "x", choices = { "a", "b" }, voters = 10 }) end, "from 2 to 9", "voters")
  raises(function() p.vote({}, { question = "x", choices = { "a" } }) end, "from 2 to 10", "one choice")
  raises(function() p.judge_panel({}, { candidates = { "a", "b" }, criteria = { "x" }, judges = 6 }) end, "from 2 to 5", "judges")
  raises(function() p.tournament({}, { candidates = many, criteria = { "x" } }) end, "from 2 to 16", "candidates")
  raises(function() p.until_green({}, { scope = "x", checks = { "true" }, rounds = 11 }) end, "from 1 to 10", "rounds")
  raises(function() p.until_dry({}, { artifact = "x", rounds = 21 }) end, "from 2 to 20", "rounds")
end)

test("a verifier that is also the implementer is refused", function()
  local same = { runner = "codex" }
  for _, pattern in ipairs { "review_fix", "scout_act_verify" } do
    local function call(more)
      more.scope = "src"
      more[pattern == "review_fix" and "artifact" or "goal"] = "x"
      return function() p[pattern]({}, more) end
    end
    local text = pattern .. ": the verifier is also the implementer"
    raises(call { verifier = { name = "implementer" } }, text, "by its name")
    raises(call { implementer = same, verifier = same }, text, "the same worker")
    raises(call { verifier = { continues = "S" } }, text, "the same session")
  end
end)

test("a pattern without a required option is refused", function()
  raises(function() p.options_sprint({}, { goal = "x" }) end, "criteria is 0", "a choice without criteria")
  raises(function() p.judge_panel({}, { candidates = { "a", "b" } }) end, "criteria is 0", "a panel without criteria")
  raises(function() p.review_fix({}, { artifact = "x" }) end, "needs 'scope'", "a writer without a scope")
  raises(function() p.until_green({}, { scope = "x" }) end, "needs 'checks'", "nothing to be green")
  raises(function() p.vote({}, { question = "x", voter = 3 }) end, "did you mean 'voters'?", "a wrong option")
  raises(function() p.vote({}, { question = "x", choices = { "a", "b" }, agent = { prompt = "y" } }) end, "agent.prompt is set by the pattern itself", "a prompt")
  raises(function() return require("moonlet.engine.load.readonly").view(p, "m.patterns").votes end, "did you mean 'vote'?", "a wrong pattern")
end)

test("options get defaults, and bounds and required fields are checked", function()
  local check = require("moonlet").pattern.options
  local fields = { task = "text!", parts = "texts 1..3", need = "integer 1..parts", scope = "scope! 1..2" }
  local opts = check("p", { task = "t", parts = { "a", "b" }, scope = "src" }, fields, { need = 2 })
  same(opts.scope, { "src" }, "a scope of one path")
  is(opts.need, 2, "a default")
  raises(function() check("p", { parts = { "a" }, scope = "x" }, fields) end, "p needs 'task'", "a text that is missing")
  raises(function() check("p", { task = " ", parts = { "a" }, scope = "x" }, fields) end, "p needs 'task'", "a blank text")
  raises(function() check("p", { task = "t", parts = { "a" } }, fields) end, "p needs 'scope'", "no scope")
  raises(function() check("p", { task = "t", parts = { "a" }, scope = "x", need = 2 }, fields) end,
    "p: need is 2, and must be from 1 to 1", "a bound that is another option")
end)
