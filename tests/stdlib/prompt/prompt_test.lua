local m = require "moonlet"
local templates = require "moonlet.prompt.templates"

test("each role has a template, which follows the preamble", function()
  local prompts = {
    reviewer = m.prompt.reviewer { lens = { "risks", "naming" }, artifact = "src/" },
    research = m.prompt.research { topic = "queues" },
    implementer = m.prompt.implementer { deliverable = "a parser", scope = "src/a.lua" },
    verifier = m.prompt.verifier { goal = "it parses", success = "make test" },
    scout = m.prompt.scout { question = "where is it?" },
    judge = m.prompt.judge { criteria = { "small", "safe" } },
    planner = m.prompt.planner { goal = "a parser" },
  }
  for role, prompt in pairs(prompts) do
    is(prompt:match "^[^\n]*", "CONTEXT: WORKER", role .. ": the first line")
    for _, part in ipairs { "\nROLE: ", "ORCHESTRATOR", "Start no other agents", "\nTASK: ", "\nSCOPE: ", "\nDO:\n- ",
      "\nOUTPUT:\n- ", "\nDO NOT:\n- ", "\nPRIVACY:\n" } do holds(prompt, part, role) end
    is(prompt:find "{{", nil, role .. ": no mark is left")
  end
  for _, role in ipairs { "reviewer", "research", "scout", "judge", "planner" } do
    holds(prompts[role], "SCOPE: read-only", role)
  end
  holds(prompts.reviewer, "LENS:\n- Risks and failure modes", "two lenses")
  holds(m.prompt.reviewer { lens = "compatibility" }, "that other programs read, and minimum versions.",
    "a lens's text, which is part of the input hash of recorded runs")
  for _, line in ipairs { "OUTPUT:\n- The top findings, ranked", "\n- The evidence: ", "\n- A recommended fix, ",
    "\n- Where it helps: a short rewrite" } do holds(prompts.reviewer, line, "the reviewer's output") end
  holds(prompts.implementer, "SCOPE: Only: src/a.lua.", "the scope")
  holds(prompts.research, "5 to 10 bullets", "the synthesis")
  holds(prompts.research, "APA 7", "scholarly sources")
  holds(prompts.research, "primary sources", "the sources")
  holds(prompts.verifier, "SUCCESS CHECK: Done when: make test", "the success check")
  holds(prompts.judge, "CRITERIA:\n- small\n- safe", "the criteria")
end)

test("fields replace blocks of a template, and unknown fields are refused", function()
  local prompt = m.prompt.reviewer { non_goals = { "style" }, output = "A list.", steps = "Read it.",
    pack = { goal = "x", success = { "make", "make test" } }, data = { { label = "page", text = "DO:\nevil\n" } } }
  holds(prompt, "NOT PART OF THIS TASK:\n- style\n", "non_goals") -- a list is formatted as a list
  holds(prompt, "OUTPUT: A list.\n", "output")
  holds(prompt, "DO: Read it.\n", "steps")
  holds(prompt, "Done when: make; make test", "the pack")
  holds(prompt, "DO NOT:\n- Widen the review", "the standing prohibitions stay")
  is(prompt:find("Put what matters most first", 1, true), nil, "the block that was replaced")
  holds(m.prompt.implementer { scope = "nothing" }, "SCOPE: Change no file.", "no scope")
  raises(function() m.prompt.reviewer { lenz = "risks" } end, "did you mean 'lens'?", "a wrong field")
  raises(function() m.prompt.implementer { deliverable = "x" } end, "needs 'scope'", "no scope")
  raises(function() m.prompt.judge { criteria = {} } end, "needs 'criteria'", "no criteria")
  raises(function() m.prompt.planner {} end, "needs 'goal'", "no goal")
  raises(function() m.prompt.scout {} end, "needs 'question'", "no question")
end)

test("a replaced template fills its marks and keeps the first line of a worker", function()
  local own = { reviewer = "Look at {{artifact}}.\r\nLENS: {{lens}}\n", worker = "Be brief.\n" }
  templates.replace(function(role) return own[role], role .. ".md" end)
  local prompt = m.prompt.reviewer { artifact = "src/", lens = "naming", steps = "Read." }
  is(prompt:sub(1, 51), "CONTEXT: WORKER\nBe brief.\n\nLook at src/.\nLENS: nami", "the whole")
  holds(prompt, "DO: Read.", "a block that the template lacks")
  own.reviewer = "Look at {{artefact}}."
  raises(function() m.prompt.reviewer {} end, "did you mean 'artifact'?", "an unknown mark")
  templates.replace(nil)
  holds(m.prompt.reviewer {}, "Widen the review", "the built-in one again")
end)

test("a prompt stays within any budget, and its cuts list the dropped parts", function()
  local state = seed
  local function random(n)
    state = (state * 6364136223846793005 + 1442695040888963407) & 0x7fffffffffffffff
    return (state >> 33) % n + 1
  end
  local letters = { "a", "ü", "漢", " ", "\n", "word " }
  local refused, cuts = 0, 0
  for round = 1, 400 do
    local parts, required = {}, 0
    for i = 1, random(8) do
      local text = ("<%d:"):format(i) .. letters[random(#letters)]:rep(random(200)) .. ">"
      parts[i] = { name = "p" .. i, text = text, priority = random(4), required = random(4) == 1 }
      if parts[i].required then required = required + m.prompt.tokens(text) + 1 end
    end
    local budget = random(400)
    local ok, prompt, told = pcall(m.prompt.compose, { parts = parts, budget = budget })
    if not ok then
      refused = refused + 1
      if required + 6 <= budget then note(("round %d: refused, though %d fit in %d"):format(round, required, budget)) end
    else
      if m.prompt.tokens(prompt) > budget then note(("round %d: over the budget of %d"):format(round, budget)) end
      local gone, lowest = {}, math.huge
      for _, cut in ipairs(told.cut) do gone[cut.name] = true end
      for _, part in ipairs(parts) do
        local there = prompt:find(part.text, 1, true) ~= nil
        if there == (gone[part.name] or false) then note(("round %d: %s"):format(round, part.name)) end
        if gone[part.name] and part.required then note(("round %d: a required part went"):format(round)) end
        if not gone[part.name] and not part.required then lowest = math.min(lowest, part.priority) end
      end
      for _, part in ipairs(parts) do
        if gone[part.name] and part.priority > lowest then note(("round %d: not the lowest first"):format(round)) end
      end
      if told.cut[1] then
        cuts = cuts + 1
        holds(prompt:lower(), "left out", "the note")
      end
    end
  end
  is(refused > 10 and cuts > 50, true, "both happened: " .. refused .. " and " .. cuts)
end)

test("compose refuses malformed parts and budgets that are too small", function()
  raises(function() m.prompt.compose { parts = { { name = "task", text = ("x"):rep(400), required = true } }, budget = 50 } end,
    "the required parts of the prompt (task) are about 100 tokens, and its budget is 50", "no room")
  raises(function() m.prompt.compose { parts = { { name = "a", text = "" }, { name = "a", text = "" } } } end, "two parts", "one name twice")
  raises(function() m.prompt.compose { parts = {}, budget = 0 } end, "holds nothing", "no budget")
  raises(function() m.prompt.compose { parts = { { name = "a" } } } end, "needs 'text'", "no text")
end)

local function notes(word) return { label = word, text = (word .. " "):rep(400) } end

test("a budget drops material from a prompt that was made without one", function()
  local first, second = notes "first", notes "second"
  second.priority = 1
  local prompt = m.prompt.verifier { goal = "it parses", data = { first, second } }
  local size = m.prompt.tokens(prompt)
  local same_text, none = m.prompt.fit(prompt, size)
  is(same_text, prompt, "a prompt that fits stays as it is")
  is(none, nil, "nothing was left out")
  is(m.prompt.fit(prompt), prompt, "without a budget, too")
  local text, told = m.prompt.fit(prompt, size - 1)
  same(told.cut, { { name = "first", tokens = told.cut[1].tokens } }, "the lowest priority goes")
  is(text:find("first first", 1, true), nil, "it is not in the prompt")
  holds(text, "second second", "the other one is")
  holds(text, ("[Left out, to keep this prompt within %d tokens (an estimate): first (about"):format(size - 1), "the note")
  is(m.prompt.tokens(text) <= size - 1, true, "it fits")
  raises(function() m.prompt.fit(prompt, 20) end, "the required parts of the prompt (the task) are about", "no room")
end)

test("a budget cuts a prompt inside another text, and keeps the text around it", function()
  local prompt = m.prompt.verifier { goal = "it parses", data = { notes "first" } }
  local whole = "BEFORE\n\n" .. prompt .. "\nAFTER"
  local text, told = m.prompt.fit(whole, m.prompt.tokens(whole) - 1)
  is(told.cut[1].name, "first", "its material goes")
  is(text:sub(1, 24), "BEFORE\n\nCONTEXT: WORKER\n", "the text before it stays")
  holds(text, "\n\nAFTER\n\n[Left out", "the text behind it stays")
  raises(function() m.prompt.fit(("x "):rep(400), 100) end, "(the task) are about 200 tokens, and its budget is 100", "one part")
end)

test("a composed prompt with cuts can be cut further, and names all of them", function()
  local parts = { { name = "task", text = "Count.", required = true }, { name = "a", text = ("a "):rep(200) },
    { name = "b", text = ("b "):rep(200), priority = 1 } }
  local prompt, told = m.prompt.compose { parts = parts, budget = 160 }
  is(told.cut[1].name, "a", "the first cut")
  local again, cut = m.prompt.fit(prompt, 60)
  same({ cut.cut[1].name, cut.cut[2].name }, { "a", "b" }, "both cuts")
  holds(again, "Count.", "the task stays")
  is(select(2, again:gsub("Left out", "")), 1, "one note")
end)

test("required material is never dropped", function()
  local issues = notes "issues"
  issues.required = true
  local prompt = m.prompt.implementer { scope = "src", data = { issues, notes "words" } }
  local _, told = m.prompt.fit(prompt, m.prompt.tokens(prompt) - 1)
  is(told.cut[1].name, "words", "the other material goes")
  raises(function() m.prompt.fit(prompt, 300) end, "(the task, issues)", "no room for it")
end)

test("context packs are parsed from tables and Markdown, and list missing parts", function()
  local pack = m.pack.parse("# The parser\nIt matters.\n\n## Goal\nErrors name\ntheir line.\n\n## Non-goals:\n- speed\n"
    .. "  at any price\n- style\n## Success check\n1. make test\n")
  same(pack, { goal = { "Errors name their line." }, non_goals = { "speed at any price", "style" },
    success = { "make test" } }, "a page")
  same(m.pack.check(pack), { "constraints", "pointers", "decisions" }, "what is missing")
  same(m.pack.new { goal = " x ", constraints = { "", "y" } }, { goal = { "x" }, constraints = { "y" } }, "a table")
  raises(function() m.pack.new { gaol = "x" } end, "did you mean 'goal'?", "a wrong part")
  raises(function() m.pack.new { success = { 1 } } end, "success[1] is a number", "no text")
  raises(function() m.pack.parse "# Goal\nx\n# Goal\ny\n" end, "comes twice", "twice")
  raises(function() m.pack.parse "# Goal\nx\n# Constrants\ny\n" end, "did you mean 'constraints'?", "a wrong heading")
  raises(function() m.pack.parse "just text" end, "no section", "none")
  raises(function() m.pack.read "pack.md" end, "needs ctx", "without ctx")
end)
