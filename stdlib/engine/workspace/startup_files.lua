--- Startup files: they make programs start on the user's machine, as soon as a tool opens their folder, or with the
--- next command of git. They count in any folder of a repository; names are compared without regard to capitals.
--- Build files are not among them: they start nothing until somebody builds.
return {
  --- All that lies beneath them.
  folders = {
    -- Agents.
    ".claude/hooks", ".claude/plugins", ".claude-plugin", ".codex/hooks", ".codex/rules", ".codex/environments",
    ".gemini/extensions", ".gemini/hooks", ".gemini/policies", ".opencode/plugin", ".opencode/plugins",
    ".opencode/tool", ".opencode/tools", ".cursor", ".kiro/hooks", ".kiro/settings", ".amazonq/cli-agents",
    ".factory/hooks", ".continue/mcpservers", ".junie/mcp", ".github/hooks",
    -- Editors.
    ".idea/runconfigurations", ".idea/tools", ".fleet", ".zed", ".helix", ".devcontainer",
    -- Shells.
    ".direnv",
    -- Git.
    ".githooks", ".git-hooks", ".husky", ".lefthook", ".pre-commit-hooks",
  },
  --- They themselves.
  files = {
    -- Agents.
    ".mcp.json", ".claude/settings.json", ".claude/settings.local.json", ".codex/config.toml", ".codex/hooks.json",
    ".gemini/settings.json", ".gemini/.env", "opencode.json", "opencode.jsonc", ".opencode/opencode.json",
    ".opencode/opencode.jsonc", ".opencode/package.json", "crush.json", ".crush.json", ".aider.conf.yml",
    ".amp/settings.json", ".amazonq/mcp.json", ".roo/mcp.json", ".qwen/settings.json", ".windsurf/hooks.json",
    ".factory/settings.json", ".factory/mcp.json", ".continue/config.yaml", ".continue/config.json",
    ".continue/config.ts", ".augment/settings.json",
    -- Editors.
    ".vscode/tasks.json", ".vscode/settings.json", ".vscode/launch.json", ".vscode/mcp.json", ".vs/tasks.vs.json",
    ".vs/launch.vs.json", ".idea/workspace.xml", ".idea/watchertasks.xml", ".devcontainer.json", ".exrc", ".vimrc",
    ".nvimrc", ".nvim.lua", ".lvimrc", ".dir-locals.el", ".dir-locals-2.el", ".gitpod.yml",
    -- Shells and interpreters, which read them in their working directory.
    ".envrc", ".mise.toml", "mise.toml", ".mise.local.toml", "mise.local.toml", ".mise/config.toml",
    ".config/mise.toml", ".config/mise/config.toml", ".rprofile", ".irbrc", ".pryrc", ".gdbinit", ".lldbinit",
    -- Git.
    ".pre-commit-config.yaml", ".pre-commit-config.yml", "lefthook.yml", "lefthook.yaml", "lefthook.toml",
    "lefthook.json", ".lefthook.yml", ".lefthook.yaml", ".lefthook.toml", ".lefthook.json", "lefthook-local.yml",
    ".lefthook-local.yml", ".overcommit.yml", ".simple-git-hooks.json", ".simple-git-hooks.js", ".simple-git-hooks.cjs",
  },
  --- Ends of names.
  endings = { ".code-workspace", ".run.xml" },
}
