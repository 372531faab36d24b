--- What a file is, told from its path alone: documentation, code, configuration, a test, something generated.
--- Words in a path are whole words: a tokenizer is no token and an author is no authentication.

local find, gsub, lower, match, sub = string.find, string.gsub, string.lower, string.match, string.sub

local M = {}

---@class moonlet.paths.Description
---@field path string
---@field dir string          "" at the top
---@field name string
---@field stem string         the name without its last extension
---@field ext string          lower case, "" where there is none
---@field kind string         docs, asset, code, config, data, lock, binary or unknown
---@field language string?    for code and configuration
---@field test boolean        a test or its data
---@field fixture boolean     data that tests read
---@field generated boolean   made or copied by a program: vendored, minified, snapshots
---@field words table<string, boolean> every word of the path, lower case

local function set(text)
  local result = {}
  for word in string.gmatch(text, "%S+") do result[word] = true end
  return result
end

local DOCS_EXT = set "md markdown mdown mkd rst txt text adoc asciidoc org tex bib rtf textile wiki pod typ"
local DOCS_NAME = set [[readme changelog changes history news authors contributors contributing maintainers credits
  todo roadmap faq security support governance install copying license licence notice thanks acknowledgements
  code_of_conduct codeofconduct release_notes releasing hacking upgrading releases agents claude gemini]]
-- Text by its ending, but something reads it.
local NOT_DOCS = set [[cmakelists.txt meson_options.txt robots.txt runtime.txt version.txt ads.txt security.txt
  conanfile.txt packages.txt versions.txt symbols.txt]]

local ASSET_EXT = set [[png jpg jpeg gif webp bmp ico avif tif tiff svg mp3 mp4 wav ogg webm mov flac woff woff2 ttf otf
  eot pdf drawio excalidraw psd ai sketch fig puml plantuml mmd dot docx pptx xlsx odt ods odp epub]]
local BINARY_EXT = set [[exe dll so dylib a o obj lib bin class jar war ear pyc pyd whl egg zip tar gz tgz bz2 xz 7z rar
  zst deb rpm apk ipa dmg iso img msi wasm node sqlite sqlite3 db dat pkl pickle npy npz h5 onnx pt pth safetensors
  parquet ko elf rlib swf]]
local DATA_EXT = set "csv tsv jsonl ndjson geojson arff diff patch out snap golden approved"

local LANGUAGES = {
  c = "c", h = "c", cc = "cpp", cpp = "cpp", cxx = "cpp", hpp = "cpp", hh = "cpp", hxx = "cpp", ipp = "cpp",
  inl = "cpp", cu = "cpp", m = "objc", mm = "objc", cs = "csharp", java = "java", kt = "kotlin", kts = "kotlin",
  scala = "scala", groovy = "groovy", gradle = "groovy", go = "go", rs = "rust", swift = "swift", dart = "dart",
  zig = "zig", js = "javascript", mjs = "javascript", cjs = "javascript", jsx = "javascript", ts = "typescript",
  mts = "typescript", cts = "typescript", tsx = "typescript", vue = "vue", svelte = "svelte", astro = "astro",
  mdx = "mdx", php = "php", py = "python", pyi = "python", pyx = "python", ipynb = "notebook", rb = "ruby",
  rake = "ruby", gemspec = "ruby", pl = "perl", pm = "perl", t = "perl", lua = "lua", sh = "shell", bash = "shell",
  zsh = "shell", ksh = "shell", fish = "fish", ps1 = "powershell", psm1 = "powershell", bat = "batch", cmd = "batch",
  sql = "sql", r = "r", jl = "julia", hs = "haskell", ml = "ocaml", mli = "ocaml", ex = "elixir", exs = "elixir",
  erl = "erlang", clj = "clojure", cljs = "clojure", el = "lisp", lisp = "lisp", scm = "lisp", vim = "vim",
  nim = "nim", d = "d", f90 = "fortran", asm = "asm", s = "asm", v = "verilog", sv = "verilog", vhd = "vhdl",
  sol = "solidity", tf = "terraform", hcl = "terraform", tfvars = "terraform", proto = "proto", graphql = "graphql",
  gql = "graphql", prisma = "prisma", css = "css", scss = "css", sass = "css", less = "css", html = "html",
  htm = "html", xhtml = "html", hbs = "html", ejs = "html", j2 = "template", jinja = "template", tmpl = "template",
  tpl = "template", erb = "template", cmake = "cmake", mk = "make", mak = "make", ninja = "ninja", bzl = "starlark",
  nix = "nix", awk = "awk", sed = "sed", tcl = "tcl", coffee = "coffee", elm = "elm", purs = "purescript",
}
local CONFIG = {
  json = "json", json5 = "json", jsonc = "json", yaml = "yaml", yml = "yaml", toml = "toml", ini = "ini", cfg = "ini",
  conf = "ini", properties = "ini", env = "ini", xml = "xml", plist = "xml", config = "ini", service = "ini",
  editorconfig = "ini", lock = "lock", csproj = "xml", sln = "ini", vcxproj = "xml", props = "xml", targets = "xml",
  rules = "ini", desktop = "ini", xcconfig = "ini", pbxproj = "ini", storyboard = "xml", resx = "xml", avsc = "json",
}
local NAMED = {
  makefile = "make", gnumakefile = "make", dockerfile = "docker", containerfile = "docker", rakefile = "ruby",
  gemfile = "ruby", podfile = "ruby", fastfile = "ruby", brewfile = "ruby", vagrantfile = "ruby", guardfile = "ruby",
  justfile = "just", jenkinsfile = "groovy", ["cmakelists.txt"] = "cmake", ["meson.build"] = "meson",
  build = "starlark", ["build.bazel"] = "starlark", workspace = "starlark", ["module.bazel"] = "starlark",
  tiltfile = "starlark", configure = "shell", ["configure.ac"] = "autotools", ["makefile.am"] = "make",
  gradlew = "shell", mvnw = "shell", [".bashrc"] = "shell", [".profile"] = "shell", [".zshrc"] = "shell",
  [".envrc"] = "shell", ["go.mod"] = "gomod", sconstruct = "python", snakefile = "python", procfile = "ini",
}

local LOCKS = {
  ["package-lock.json"] = "node", ["npm-shrinkwrap.json"] = "node", ["yarn.lock"] = "node", ["pnpm-lock.yaml"] = "node",
  ["bun.lockb"] = "node", ["bun.lock"] = "node", ["cargo.lock"] = "cargo", ["poetry.lock"] = "python",
  ["uv.lock"] = "python", ["pdm.lock"] = "python", ["pipfile.lock"] = "pipenv", ["gemfile.lock"] = "ruby",
  ["composer.lock"] = "composer", ["go.sum"] = "go", ["mix.lock"] = "mix", ["pubspec.lock"] = "dart",
  ["flake.lock"] = "nix", ["deno.lock"] = "deno", ["packages.lock.json"] = "dotnet", ["package.resolved"] = "swift",
  ["podfile.lock"] = "pods", ["gradle.lockfile"] = "gradle", [".terraform.lock.hcl"] = "terraform",
}

local TEST_DIRS = set "test tests spec specs __tests__ e2e integration_test integration_tests testing testsuite t"
local FIXTURE_DIRS = set [[fixtures fixture testdata test_data test-data __fixtures__ __snapshots__ snapshots golden
  goldens __mocks__ cassettes]]
local VENDOR_DIRS = set [[vendor node_modules third_party third-party thirdparty 3rdparty external extern deps dist
  __generated__ generated]]
local DOC_DIRS = set "docs doc documentation man guides guide wiki rfcs adr adrs notes"

---Splits a path into whole lower-case words, at everything that is no letter or digit and where the case changes.
---@param text string
---@return table<string, boolean>
function M.words(text)
  local spaced = gsub(text, "(%l)(%u)", "%1 %2")
  spaced = gsub(spaced, "(%u)(%u%l)", "%1 %2")
  local result = {}
  for word in string.gmatch(lower(spaced), "[%a][%w]*") do result[word] = true end
  return result
end

---@param path string
---@return string dir "" at the top
---@return string name
function M.split(path)
  local dir, name = match(path, "^(.*)/([^/]*)$")
  if dir then return dir, name end
  return "", path
end

---The kind of dependency lock file that a name stands for, such as "node" or "cargo".
---@param name string
---@return string?
function M.lock(name) return LOCKS[lower(name)] end

local function any_dir(dirs, wanted)
  for dir in string.gmatch(dirs, "[^/]+") do
    if wanted[dir] then return true end
  end
  return false
end

-- What a folder says about all that is in it; a change seldom has many folders.
local function describe_dir(dir, cache)
  local known = cache[dir]
  if not known then
    local dirs = lower(dir)
    known = {
      test = any_dir(dirs, TEST_DIRS), fixture = any_dir(dirs, FIXTURE_DIRS), vendor = any_dir(dirs, VENDOR_DIRS),
      docs = any_dir(dirs, DOC_DIRS),
    }
    cache[dir] = known
  end
  return known
end

-- By the name alone.
local function is_test(low, name)
  if find(low, "^test[_.-]") or find(low, "[_.-]tests?%.[%w]+$") or find(low, "[_.-]spec%.[%w]+$")
    or find(low, "[_.-]tests?%.[%w]+%.[%w]+$") or low == "conftest.py" or find(low, "[_.-]cy%.[jt]sx?$") then
    return true
  end
  return find(name, "%l%d*Tests?%.%a+$") ~= nil or find(name, "^Test%u.*%.%a+$") ~= nil
end

local function read_by_tools(low)
  return NOT_DOCS[low] and low ~= "cmakelists.txt" or find(low, "^requirements[%w_.-]*%.txt$") ~= nil
    or find(low, "^constraints[%w_.-]*%.txt$") ~= nil
end

local function docs_name(low, stem, ext)
  if NOT_DOCS[low] or read_by_tools(low) then return false end
  if DOCS_EXT[ext] then return true end
  local bare = gsub(stem, "-.*$", "")
  return (ext == "" or not (LANGUAGES[ext] or CONFIG[ext])) and (DOCS_NAME[low] or DOCS_NAME[bare]) or false
end

---@param path string
---@param cache table? kept between calls for many paths of the same folders
---@return moonlet.paths.Description
function M.describe(path, cache)
  local dir, name = M.split(path)
  local low, folder = lower(name), describe_dir(dir, cache or {})
  local stem, ext = match(low, "^(.+)%.([^.]+)$")
  stem, ext = stem or low, ext or ""
  local d = { path = path, dir = dir, name = name, stem = stem, ext = ext }
  d.fixture = folder.fixture
  d.test = folder.test or folder.fixture or is_test(low, name)
  d.generated = folder.vendor or find(low, "%.min%.[jc]ss?$") ~= nil or ext == "map" or ext == "snap"
    or find(low, "[._]pb%.[%w]+$") ~= nil or find(low, "_pb2%.py$") ~= nil or find(low, "%.generated%.") ~= nil
  d.in_docs = folder.docs
  local docker = find(low, "^dockerfile") or find(low, "^containerfile") or ext == "dockerfile"
  if LOCKS[low] then
    d.kind, d.language, d.generated = "lock", LOCKS[low], true
  elseif docs_name(low, stem, ext) then
    -- Plain text among tests is what they read or expect; prose about tests is prose.
    d.kind, d.test = "docs", d.fixture or (ext ~= "md" and ext ~= "rst" and folder.test)
    if d.test and not DOCS_NAME[stem] then d.kind = "data" end
    if d.kind == "docs" then d.test = false end
  elseif read_by_tools(low) then
    d.kind, d.language = "config", "ini"
  elseif NAMED[low] or docker then
    d.kind, d.language = "code", NAMED[low] or "docker"
  elseif LANGUAGES[ext] then
    d.kind, d.language = "code", LANGUAGES[ext]
  elseif CONFIG[ext] then
    d.kind, d.language = "config", CONFIG[ext]
  elseif ASSET_EXT[ext] then
    d.kind = "asset"
  elseif BINARY_EXT[ext] then
    d.kind = "binary"
  elseif DATA_EXT[ext] then
    d.kind = "data"
  elseif sub(low, 1, 1) == "." then
    d.kind, d.language = "config", "ini"
  else
    d.kind = "unknown"
  end
  return d
end

---The words of a description, made when they are first asked for.
---@param d moonlet.paths.Description
---@return table<string, boolean>
function M.words_of(d)
  d.words = d.words or M.words(d.path)
  return d.words
end

return M
