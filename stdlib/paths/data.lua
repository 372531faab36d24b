--- Maps file extensions and file names to kinds of files and to languages.
local set = require("moonlet.text").set

return {
  docs_ext = set [[md markdown mdown mkd rst txt text adoc asciidoc org tex bib rtf textile wiki
    pod typ]],
  docs_name = set [[readme changelog changes history news authors contributors contributing maintainers credits todo
    roadmap faq security support governance install copying license licence notice thanks acknowledgements
    code_of_conduct codeofconduct release_notes releasing hacking upgrading releases agents claude gemini
    .mailmap .git-blame-ignore-revs]],
  -- Programs read these .txt files, so the files are not documentation.
  not_docs = set [[cmakelists.txt meson_options.txt robots.txt runtime.txt version.txt ads.txt security.txt
    conanfile.txt packages.txt versions.txt symbols.txt]],
  asset_ext = set [[png jpg jpeg gif webp bmp ico avif tif tiff svg mp3 mp4 wav ogg webm mov flac
    woff woff2 ttf otf eot
    pdf drawio excalidraw psd ai sketch fig puml plantuml mmd dot docx pptx xlsx odt ods odp epub]],
  binary_ext = set [[exe dll so dylib a o obj lib bin class jar war ear pyc pyd whl egg zip tar gz tgz bz2 xz 7z rar
    zst deb rpm apk ipa dmg iso img msi wasm node sqlite sqlite3 db dat pkl pickle npy npz h5 onnx pt pth
    safetensors parquet ko elf rlib swf]],
  data_ext = set "csv tsv jsonl ndjson geojson arff diff patch out snap golden approved po pot",
  languages = {
    c = "c", h = "c", cc = "cpp", cpp = "cpp", cxx = "cpp", hpp = "cpp", hh = "cpp", hxx = "cpp",
    ipp = "cpp", inl = "cpp", cu = "cpp", m = "objc", mm = "objc", cs = "csharp", java = "java",
    kt = "kotlin", kts = "kotlin", scala = "scala", groovy = "groovy", gradle = "groovy", go = "go",
    rs = "rust", swift = "swift", dart = "dart", zig = "zig", js = "javascript", mjs = "javascript",
    cjs = "javascript", jsx = "javascript", ts = "typescript", mts = "typescript",
    cts = "typescript", tsx = "typescript", vue = "vue", svelte = "svelte", astro = "astro",
    mdx = "mdx", php = "php", py = "python", pyi = "python", pyx = "python", ipynb = "notebook",
    rb = "ruby", rake = "ruby", gemspec = "ruby", pl = "perl", pm = "perl", t = "perl", lua = "lua",
    sh = "shell", bash = "shell", zsh = "shell", ksh = "shell", fish = "fish", ps1 = "powershell",
    psm1 = "powershell", bat = "batch", cmd = "batch", sql = "sql", r = "r", jl = "julia",
    hs = "haskell", ml = "ocaml", mli = "ocaml", ex = "elixir", exs = "elixir", erl = "erlang",
    clj = "clojure", cljs = "clojure", el = "lisp", lisp = "lisp", scm = "lisp", vim = "vim",
    nim = "nim", d = "d", f90 = "fortran", asm = "asm", s = "asm", v = "verilog", sv = "verilog",
    vhd = "vhdl", sol = "solidity", tf = "terraform", hcl = "terraform", tfvars = "terraform",
    proto = "proto", graphql = "graphql", gql = "graphql", prisma = "prisma", css = "css",
    scss = "css", sass = "css", less = "css", html = "html", htm = "html", xhtml = "html",
    hbs = "html", ejs = "html", j2 = "template", jinja = "template", tmpl = "template",
    tpl = "template", erb = "template", cmake = "cmake", mk = "make", mak = "make", ninja = "ninja",
    bzl = "starlark", nix = "nix", awk = "awk", sed = "sed", tcl = "tcl", coffee = "coffee",
    elm = "elm", purs = "purescript", y = "c", l = "c", yy = "cpp", ll = "cpp", perl = "perl",
    m4 = "autotools", ac = "autotools", styl = "css", xsl = "xml", xslt = "xml",
  },
  config = {
    json = "json", json5 = "json", jsonc = "json", yaml = "yaml", yml = "yaml", toml = "toml",
    ini = "ini", cfg = "ini", conf = "ini", properties = "ini", env = "ini", xml = "xml",
    plist = "xml", config = "ini", service = "ini", editorconfig = "ini", lock = "lock",
    csproj = "xml", sln = "ini", vcxproj = "xml", props = "xml", targets = "xml", rules = "ini",
    desktop = "ini", xcconfig = "ini", pbxproj = "ini", storyboard = "xml", resx = "xml",
    avsc = "json", wrap = "ini",
  },
  named = {
    makefile = "make", gnumakefile = "make", dockerfile = "docker", containerfile = "docker",
    rakefile = "ruby", gemfile = "ruby", podfile = "ruby", fastfile = "ruby", brewfile = "ruby",
    vagrantfile = "ruby", guardfile = "ruby", justfile = "just", jenkinsfile = "groovy",
    ["cmakelists.txt"] = "cmake", ["meson.build"] = "meson", build = "starlark",
    ["build.bazel"] = "starlark", workspace = "starlark", ["module.bazel"] = "starlark",
    tiltfile = "starlark", configure = "shell", ["configure.ac"] = "autotools",
    ["makefile.am"] = "make", gradlew = "shell", mvnw = "shell", [".bashrc"] = "shell",
    [".profile"] = "shell", [".zshrc"] = "shell", [".envrc"] = "shell", install = "shell",
    sconstruct = "python", snakefile = "python", procfile = "ini",
  },
  -- Lists configuration files whose extension does not show their format.
  named_config = { ["go.mod"] = "gomod", ["go.work"] = "gomod", pipfile = "toml" },
  locks = {
    ["package-lock.json"] = "node", ["npm-shrinkwrap.json"] = "node", ["yarn.lock"] = "node",
    ["pnpm-lock.yaml"] = "node",
    ["bun.lockb"] = "node", ["bun.lock"] = "node", ["cargo.lock"] = "cargo",
    ["poetry.lock"] = "python", ["uv.lock"] = "python", ["pdm.lock"] = "python",
    ["pipfile.lock"] = "pipenv", ["gemfile.lock"] = "ruby", ["composer.lock"] = "composer",
    ["go.sum"] = "go", ["mix.lock"] = "mix", ["pubspec.lock"] = "dart", ["flake.lock"] = "nix",
    ["deno.lock"] = "deno", ["packages.lock.json"] = "dotnet", ["package.resolved"] = "swift",
    ["podfile.lock"] = "pods", ["gradle.lockfile"] = "gradle",
    [".terraform.lock.hcl"] = "terraform",
  },
  test_dirs = set [[test tests spec specs __tests__ e2e integration_test integration_tests testing
    testsuite t]],
  fixture_dirs = set [[fixtures fixture testdata test_data test-data __fixtures__ __snapshots__ snapshots golden
    goldens __mocks__ cassettes]],
  vendor_dirs = set [[vendor node_modules third_party third-party thirdparty 3rdparty external extern deps dist
    __generated__ generated]],
  doc_dirs = set "docs doc documentation man guides guide wiki rfcs adr adrs notes",
}
