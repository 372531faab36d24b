local edit_scope = require "moonlet.engine.workspace.edit_scope"

local function outside(edits, ...) return table.concat(edit_scope.outside(edits, { ... }), " ") end

test("files, folders and globs in edits cover their content and nothing else", function()
  is(outside({ "a.txt" }, "a.txt", "b/a.txt", "a.txt.bak"), "b/a.txt a.txt.bak", "a file")
  is(outside({ "src" }, "src", "src/x", "src/y/z", "srcs/x"), "srcs/x", "a folder")
  is(outside({ "./src/" }, "src/x", "new/"), "new/", "a folder, spelt otherwise")
  is(outside({ "src/*.c" }, "src/a.c", "src/b/a.c", "src/a.h"), "src/b/a.c src/a.h", "a glob of names")
  is(outside({ "lib/*" }, "lib/x/y", "other/x"), "other/x", "a glob of folders")
  is(outside({ "**/*.md" }, "a.md", "x/y.md", "x/.hidden/z.md", "a.txt"), "a.txt", "any depth")
  is(outside({ "app/[id]" }, "app/[id]/page.tsx"), "", "a folder that is named like a glob")
  is(outside({ "src/**/*.c" }, "src/new/", "doc/new/"), "doc/new/", "new folders where the files may be")
  is(outside({ "." }, "a", "b/c"), "", "everything")
  is(outside({}, "a"), "a", "nothing may change")
end)

test("a path that leads out of the repository is refused", function()
  for _, path in ipairs { "/etc", "../x", "a/../../b", "", 3 } do
    raises(function() edit_scope.check { path } end, "not a path of the repository", tostring(path))
  end
  edit_scope.check { "a..b", ".x" }
end)
