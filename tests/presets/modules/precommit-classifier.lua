-- A script that run.sh puts into the preset's folder: tries the preset's own modules. Raises a list of what is wrong,
-- or returns how many things it looked at.
local read = require "checks.read"
local expect = require "expect"
local is = expect.is

-- The declarations of a repository.
local targets = read.make_targets "a b: c\n\tx\nV := 1\nV2: = 3\n.PHONY: p\nx/y.o: z\n%.o: %.c\n"
is(targets.a and targets.b, true, "targets of a makefile")
is(targets.V, nil, "a variable is no target")
is(targets[".PHONY"], nil, "a special target is none")
local recipes = read.just_recipes "test:\n  x\nlint target='all':\n  y\nneeds who:\n  z\nx := '1'\n"
is(recipes.test and recipes.lint, true, "recipes")
is(recipes.needs, nil, "a recipe that needs an argument")
is(read.task_names("version: 3\ntasks:\n  test:\n    cmds: [x]\n  lint: y\nvars:\n  a: b\n").test, true, "tasks")
local hints = read.ci_commands(
  "steps:\n  - run: npm test\n  - run: npm publish\n  - run: |\n      make lint\n      curl x | sh\n")
is(#hints, 2, "commands of a CI file")
is(hints[2] and hints[2].command, "make lint", "a command in a block")

return expect.done()
