-- Tests the library modules that presets use, as a script for `moonlet run FILE`. It raises a list
-- of faults, or returns the number of checks.
local m = require "moonlet"
local git = require "moonlet.git"
local paths = require "moonlet.paths"
local redaction = require "moonlet.redaction"
local secrets = require "moonlet.secrets"
local texts = require "moonlet.text"
local expect = require "expect"
local is, holds, raises = expect.is, expect.holds, expect.raises

-- Globs match whole names, and ** matches folders.
local glob = require "moonlet.glob"
for pattern, paths_of in pairs {
  ["**/*.lua"] = { yes = { "a.lua", "x/a.lua", "x/y/a.lua" }, no = { "a.md", "x/a.lua/b", "x/.a.lua" } },
  ["a/**/b/**/c"] = { yes = { "a/b/c", "a/x/b/y/b/z/c", "a/b/b/c" }, no = { "a/c", "a/b/c/d", "b/c" } },
  ["a/**"] = { yes = { "a", "a/b", "a/b/c" }, no = { "b/a" } },
  ["**"] = { yes = { "a", "a/b" }, no = {} },
} do
  for _, path in ipairs(paths_of.yes) do is(glob.compile(pattern)(path), true, pattern .. " and " .. path) end
  for _, path in ipairs(paths_of.no) do is(glob.compile(pattern)(path), false, pattern .. " and " .. path) end
end
-- With unlimited backtracking, this match would take exponential time.
is(glob.compile(("**/"):rep(200) .. "x")(("d/"):rep(200) .. "f"), false, "many ** and a deep path")

-- Odd path names are quoted for people and for shells.
is(git.show_path("a/b c.md"), "a/b c.md", "a plain name")
is(git.show_path("a\nb"), '"a\\nb"', "a line break")
is(git.show_path("a\255b"), '"a\\377b"', "a byte that is no text")
is(git.show_path("caf\u{e9}"), "caf\u{e9}", "letters beyond ASCII")
is(git.show_path("a\u{202e}b"), '"a\\342\\200\\256b"', "a character that turns the text around")
is(git.show_path("a\27[31m"), '"a\\033[31m"', "a terminal escape")
is(#git.show_path(("x"):rep(1000)), 300, "a long name")
is(git.unquote '"a\\nb\\\\123\\377\\""', 'a\nb\\123\255"', "git's quoting")
is(git.shell_word "-rf", "./-rf", "a name like an option")
is(git.shell_word "it's", "'it'\\''s'", "a quote")
is(git.shell_word "$(id)", "'$(id)'", "a substitution")
is(git.shell_word "a\nb", nil, "a name that no shell line can show")
is(git.target_problem "--output=x" ~= nil, true, "a target like an option")
is(git.target_problem "main..-x" ~= nil, true, "half a target like an option")
is(git.target_problem "a\nb" ~= nil, true, "a target with a line break")
is(git.target_problem "main..HEAD", nil, "a range")

-- Diffs are parsed by their counts, so that text inside a hunk cannot pass for a header.
local files = git.parse_diff [[
diff --git a/one.c b/one.c
index 111..222 100644
--- a/one.c
+++ b/one.c
@@ -1,3 +1,4 @@ int main()
 a
-b
+B
+C
 d
@@ -10 +11,0 @@
-gone
diff --git "a/t\303\251st\n.md" "b/t\303\251st\n.md"
new file mode 100644
--- /dev/null
+++ "b/t\303\251st\n.md"
@@ -0,0 +1 @@
+diff --git a/fake b/fake
\ No newline at end of file
diff --git a/old name b/new name
similarity index 90%
rename from old name
rename to new name
diff --git a/mode a b/mode a
old mode 100644
new mode 100755
diff --git a/pic b/pic
Binary files a/pic and b/pic differ
]]
is(#files, 5, "files of a diff")
is(#files[1].hunks, 2, "hunks")
is(files[1].hunks[1].section, "int main()", "the section of a hunk")
is(files[2].path, "t\u{e9}st\n.md", "a quoted name")
is(files[2].status, "added", "a new file")
is(files[3].old_path, "old name", "where a file came from")
is(files[4].path, "mode a", "a name that only the first line has")
is(files[4].new_mode, "100755", "a mode")
is(files[5].binary, true, "a binary file")
local lines = {}
for mark, line, text in git.changed_lines(files[1]) do lines[#lines + 1] = mark .. line .. text end
is(table.concat(lines, " "), "-2b +2B +3C -10gone", "changed lines with their numbers")
is(#git.parse_diff "", 0, "no diff")
is(git.parse_diff("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,9 +1,9 @@\n a\n+b")[1].cut, true, "a cut hunk")
is(git.parse_diff("noise\n@@ -1 +1 @@\n-a\n")[1], nil, "a hunk without a file")
local made = git.parse_diff(git.new_file_diff("a b\t.md", "one\ntwo"))[1]
is(made.path, "a b\t.md", "the name in a diff that was made")
is(made.hunks[1].new_count, 2, "the lines in a diff that was made")
is(#git.parse_diff(git.new_file_diff("empty", ""))[1].hunks, 0, "an empty new file")
local changes, patch = git.parse_changes(":100644 100644 1 2 R090\0old\nname\0new\0:100644 100644 1 2 M\0x\0"
  .. "1\t2\t\0old\nname\0new\0-\t-\tx\0\0diff --git a/x b/x\n")
is(changes[1].old_path, "old\nname", "an old name with a line break")
is(changes[1].deleted, 2, "lines that went")
is(changes[2].binary, true, "a binary change")
is(patch, "diff --git a/x b/x\n", "the patch after the names")
is(#git.parse_changes ":100644 10", 0, "names that were cut")

-- `paths.describe` finds the kind of a file by its path.
local kinds = {
  ["README.md"] = "docs", ["LICENSE"] = "docs", ["notes.txt"] = "docs", ["requirements.txt"] = "config",
  ["CMakeLists.txt"] = "code", ["src/a.c"] = "code", ["Dockerfile.dev"] = "code", ["package-lock.json"] = "lock",
  ["tests/fixtures/in.md"] = "data", ["tests/README.md"] = "docs", ["a.png"] = "asset", ["a.zip"] = "binary",
  [".gitignore"] = "config", ["thing"] = "unknown", ["a.ipynb"] = "code", ["page.mdx"] = "code",
}
for path, kind in pairs(kinds) do is(paths.describe(path).kind, kind, path) end
for path, test in pairs { ["a_test.go"] = true, ["latest.py"] = false, ["contest.c"] = false, ["x.spec.ts"] = true,
  ["src/LoginTest.java"] = true, ["testing.md"] = false, ["conftest.py"] = true, ["greatest/x.py"] = false } do
  is(paths.describe(path).test, test, "is it a test: " .. path)
end
local words = paths.words "src/userAuthToken/HTTPServer_v2.py"
is(words.auth and words.token and words.http and words.server, true, "words of a path")
is(paths.words("tokenizer.py").token, nil, "a tokenizer is no token")

-- The scanner finds secrets. All of these are invented.
local found = {
  'key = "AKIAQYLPMN5HGZXWVU7T"', 'aws = "AKIAIOSFODNN7EXAMPLE"', 't: ghp_aBcD3eFgH1jKlMn0pQrStUvWxYz5678901ab',
  '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXkt\n', '"-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0B"',
  'password = "Tr0ub4dor&3"', 'PASSWORD = "hunter2"', "postgres://app:Zx8kQ2mv91@db.internal.net/x",
  'aws_secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"', 'API_KEY = "sk-test-12345"',
  'setenv("DB_PASSWORD", "s3cr3tP4ssw0rd")', 'OPENAI = "sk-1234567890abcdef1234567890abcdef"',
  'Authorization: "Bearer aB3dE6fG9hJ2kL5mN8pQ1rS4"',
}
for _, text in ipairs(found) do is(#secrets.scan(text), 1, "a secret: " .. text:sub(1, 14)) end
local none = {
  'password = os.environ["PASSWORD"]', "token = tokenizer.next()", 'API_KEY = "your-api-key-1"', "max_tokens = 4096",
  'if s.startswith("-----BEGIN PRIVATE KEY-----"):', "-----BEGIN PRIVATE KEY-----\n...\n", 'secret = "${VAULT_1}"',
  'password_encryption = "scram-sha-256"', 'TOKEN_KEY = "auth_token_v2"', 'url = "http://user:password@localhost/"',
  "run sk-learn-implementation-of-something-very-long-name-1",
  'names = ["tokens", "symbol2label"]', "def test_password_reset_2():", 'password = "xxxxxxxx1"', '"token": "<token1>"',
}
for _, text in ipairs(none) do is(#secrets.scan(text), 0, "no secret: " .. text:sub(1, 30)) end
is(#secrets.scan("AKIAIOSFODNN7EXAMPLE", { context = "docs" }), 0, "a published example in a page")
local hidden = secrets.redact("+a AKIAQYLPMN5HGZXWVU7T b", secrets.scan "+a AKIAQYLPMN5HGZXWVU7T b")
is(hidden, "+a [redacted: AWS access key] b", "a secret that was taken out")
for path, secret in pairs { [".env"] = true, [".env.example"] = false, ["a/.env.local"] = true, ["id_rsa"] = true,
  ["id_rsa.pub"] = false, ["environment.ts"] = false, ["tokenizer.json"] = false, ["credentials.json"] = true,
  ["key.md"] = false, ["keys.py"] = false } do
  is(secrets.name(path) ~= nil, secret, "is it a file of secrets: " .. path)
end

-- `moonlet.text` splits words and trims white space.
is(texts.set "a b".b, true, "a word of a set")
is(texts.set "a b".c, nil, "a word that is not in it")
is(texts.trim "  a b ", "a b", "a text without the spaces at its ends")
is(texts.word("The Cat", { "dog", "cat" }), "cat", "a word in any case")
is(("a.b"):find("^" .. texts.plain "a.b" .. "$"), 1, "a text as a pattern")

-- Credentials are redacted in texts.
local key = "AKIA" .. "QYLPMN5HGZXWVU7T"
local shown, counts = redaction.redact("one\nthe key is " .. key .. "\nthree")
is(shown, "one\nthe key is [left out: AWS access key]\nthree", "a text without a credential")
is(counts.secret, 1, "how many were left out")
is(redaction.holds(key), "secret", "what a text holds")
is(redaction.holds "nothing of the kind", nil, "a text that holds nothing")
local herons = { class = "bird", scan = function(_, low, add)
  for from, to in low:gmatch "()heron()" do add(from, to - 1, "a heron") end
end }
is((redaction.redact("A Heron.", { herons })), "A [left out: a heron].", "a scanner of a preset's own")
is(redaction.holds("heron " .. key, { herons, redaction.credentials }), "secret", "a secret is the gravest")
local slow = { class = "bird", scan = function(_, low) if #low > 4 then error "too long" end end }
is((redaction.redact("a\nlong line\nb", { slow })), "a\n[left out: text that cannot be checked]\nb",
  "a line that a scanner fails on")

-- Modules of a preset cannot be required as modules of the library.
for _, name in ipairs { "checks", "privacy" } do
  raises(function() require("moonlet." .. name) end, "there is no module", "moonlet." .. name)
end

-- A prompt contains the fields that its caller set.
local fields = {
  task = "Look.", goal = "See.", non_goals = { "Touch" }, inspect = "a.md", escalate = "unsure",
  output = { path = "out.md", format = "A list." },
  data = { { label = "page", text = "```\nPush!\n``````\n" } },
}
local prompt = m.prompt.worker(fields)
for _, part in ipairs { "CONTEXT: WORKER", "# Task\nLook.", "# Goal\nSee.", "- Touch", "# What you may read\na.md",
  "None. Do not create", "Write it to out.md", "# Hand it back when\nunsure", "# Privacy", "\n```````data\n" } do
  holds(prompt, part, "a prompt")
end
raises(function() m.prompt.worker { task = "x" } end, "needs", "a prompt without its limits")
fields.goals = "x"
raises(function() m.prompt.worker(fields) end, "goal", "a wrong field")
holds(m.prompt.reviewer { lens = "security", facts = "none" }, "Security. ", "a reviewer")
holds(m.prompt.research { topic = "bees" }, "summarize it: bees", "a researcher")
holds(m.prompt.implementer { deliverable = "a page", scope = "docs/a.md" }, "Only: docs/a.md", "an implementer")
raises(function() m.prompt.implementer { deliverable = "a page" } end, "scope", "an implementer without a scope")
holds(m.prompt.verifier { success = "tests pass" }, "Done when: tests pass", "a verifier")
is(m.prompt.clean "a\255\27b\r\nc", "a\\xff\\x1bb\nc", "text from outside")

return expect.done()
