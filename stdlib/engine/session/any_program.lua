--- Describes the screens of arbitrary programs, with the same fields as `screen` of a runner. The
--- patterns in `at_cursor` match only the cursor's line and the line above it.
return {
  prompts = {
    { kind = "password", at_cursor = { "[Pp]assword[^%w]*:%s*$", "[Pp]assphrase[^%w].*:%s*$",
      "[Pp]assphrase:%s*$", "PIN:%s*$", "[Tt]oken:%s*$" } },
    { kind = "y/n", at_cursor = { "[%[%(][Yy]es/[Nn]o[^%]%)]*[%]%)]" },
      deny = { text = "no", enter = true }, approve = { text = "yes", enter = true } },
    { kind = "y/n", at_cursor = { "[%[%(][yY]/[nN][%]%)]", "[%[%(][nN]/[yY][%]%)]",
      "[%[%(]y/N/a[%]%)]" }, deny = { text = "n", enter = true },
      approve = { text = "y", enter = true } },
    { kind = "directory", at_cursor = { "[Ss]elect .*director", "[Ss]elect .*folder",
      "[Cc]hoose .*director", "[Cc]hoose .*folder", "[Ww]hich directory" } },
    { kind = "trust", at_cursor = { "[Tt]rust .*%?%s*$" } },
    { kind = "approval", at_cursor = { "^%s*[Aa]pprove.*%?", "^%s*[Aa]llow .*%?%s*$" } },
    { kind = "menu", all = { "^%s*[❯›>▸●➤]+%s*1[%.%)] ", "^%s*2[%.%)] " } },
    { kind = "menu", all = { "^%s*1[%.%)] ", "^%s*2[%.%)] " },
      at_cursor = { "[Ss]elect", "[Cc]hoice", "[Cc]hoose", "[Oo]ption", "[Ee]nter a number",
        "^%s*[#>?]+%s*$" } },
    { kind = "enter", at_cursor = { "[Pp]ress [Ee]nter", "[Pp]ress any key", "[Hh]it [Ee]nter",
      "^%-%-More%-%-", "^%(END%)%s*$", "^lines %d+%-%d+" } },
  },
  shell = "[%$#>%%»❯›:] ?$",
  -- These patterns match only at the end of a sentence. A longer sentence may be about limits
  -- without reporting one.
  quota = { "[Uu]sage limit reached%f[^%w ]", "[Rr]ate limit exceeded%f[^%w ]",
    "[Qq]uota exceeded%f[^%w ]", "You.+hit your.+limit%f[^%w ]", "429 Too Many Requests",
    "RESOURCE_EXHAUSTED" },
  downloads = { "%d+%%.*[KMG]i?B", "[KMG]i?B/s", "[Dd]ownloading", "[Rr]eceiving objects:",
    "[Ff]etching .*%d+%%" },
}
