--- What a path's name says about the care that a change to it needs. Each rule gives a short reason or nothing.
--- Documentation is never caught by a name: a page about authentication is a page.

local paths = require "moonlet.paths"

local find, lower, match, sub = string.find, string.lower, string.match, string.sub

local M = {}

local function set(text)
  local result = {}
  for word in string.gmatch(text, "%S+") do result[word] = true end
  return result
end

local function has_dir(path, name) return find("/" .. lower(path), "/" .. name .. "/", 1, true) ~= nil end

-- Whether a folder is or lies in one of several; few folders are asked about for many files.
local function in_any(d, list)
  local known = list.known
  if known == nil or list.count > 2000 then
    known, list.count = {}, 0
    list.known = known
  end
  if known[d.dir] == nil then
    list.count = list.count + 1
    known[d.dir] = false
    for i = 1, #list do
      if has_dir(d.dir .. "/", list[i]) then
        known[d.dir] = true
        break
      end
    end
  end
  return known[d.dir]
end

local CI_NAMES = set [[.gitlab-ci.yml jenkinsfile azure-pipelines.yml azure-pipelines.yaml .travis.yml appveyor.yml
  .appveyor.yml .drone.yml bitbucket-pipelines.yml cloudbuild.yaml cloudbuild.yml .goreleaser.yml .goreleaser.yaml
  .cirrus.yml codemagic.yaml buildspec.yml .woodpecker.yml release.config.js release.config.cjs release.config.mjs
  .releaserc .releaserc.json .releaserc.yml .releaserc.js release-please-config.json wercker.yml netlify.toml
  vercel.json fastfile dangerfile .release-it.json lerna-publish.json action.yml action.yaml renovate.json
  renovate.json5 .renovaterc .renovaterc.json .buildkite.yml .cirrus.star .semaphore.yml]]
local GITHUB_NAMES = set "dependabot.yml dependabot.yaml release.yml release.yaml release-drafter.yml labeler.yml"
local CI_DIRS = { ".github/workflows", ".github/actions", ".circleci", ".buildkite", ".tekton", ".woodpecker",
  ".gitlab/ci", ".ci", "fastlane", ".azure-pipelines", ".semaphore", ".changeset/config",
  ".appveyor", ".teamcity", ".jenkins", ".drone", ".travis", ".builds", ".concourse", ".forgejo/workflows",
  ".gitea/workflows" }
-- Where a folder called ci is that of the project, not a module of the product.
local CI_PATHS = { "^ci/", "^jenkins/", "^scripts?/ci/", "^tools?/ci/", "^build/ci/", "^etc/ci/", "^%.?github/ci/" }
local RELEASE = set "release releases deploy deployment publish rollout rollback promote"
local SCRIPT_DIRS = set "scripts script bin tools ci build hack ops deploy release .ci"

local function ci(d)
  if CI_NAMES[lower(d.name)] then return "CI or release workflow" end
  if in_any(d, CI_DIRS) then return "CI or release workflow" end
  local low = lower(d.path)
  if GITHUB_NAMES[lower(d.name)] and sub(low, 1, 8) == ".github/" then return "CI or release workflow" end
  for i = 1, #CI_PATHS do
    if find(low, CI_PATHS[i]) then return "CI or release workflow" end
  end
  local at_script = d.dir == "" or SCRIPT_DIRS[lower(match(d.dir, "([^/]*)$"))] or d.language == "shell"
  if d.kind == "code" and at_script and not d.test then
    local words = paths.words(d.stem)
    for word in pairs(words) do
      if RELEASE[word] then return "script that releases or deploys" end
    end
  end
end

local INFRA_NAMES = set [[docker-compose.yml docker-compose.yaml compose.yml compose.yaml procfile fly.toml app.yaml
  vagrantfile skaffold.yaml skaffold.yml tiltfile kustomization.yaml kustomization.yml chart.yaml serverless.yml
  serverless.yaml nginx.conf cdk.json pulumi.yaml samconfig.toml template.yaml render.yaml terragrunt.hcl ansible.cfg
  caddyfile haproxy.cfg dockerfile containerfile wrangler.toml helmfile.yaml]]
local INFRA_DIRS = { "k8s", "kubernetes", "helm", "charts", "terraform", "ansible", "kustomize", "cloudformation",
  "argocd", "infra", "infrastructure" }
local INFRA_EXT = set "tf tfvars hcl service socket timer"

local function infrastructure(d)
  local low = lower(d.name)
  if d.language == "docker" or find(low, "^docker%-compose") or INFRA_NAMES[low] or INFRA_EXT[d.ext] then
    return "infrastructure or container"
  end
  if (d.kind == "config" or d.language == "template" or d.language == "shell") and in_any(d, INFRA_DIRS) then
    return "infrastructure or container"
  end
end

local GIT_HOOKS = set [[pre-commit pre-push commit-msg prepare-commit-msg post-commit post-merge post-checkout
  pre-rebase post-rewrite pre-receive post-receive update pre-merge-commit applypatch-msg pre-applypatch]]

local HOOK_DIRS = { ".husky", ".githooks", ".git-hooks", "git-hooks" }
local HOOK_NAMES = set [[.pre-commit-config.yaml .pre-commit-hooks.yaml .overcommit.yml lefthook.yml lefthook.yaml
  .lefthook.yml .lefthook.yaml .lintstagedrc .lintstagedrc.json lint-staged.config.js lint-staged.config.mjs]]
local TOOL_DIRS = { ".claude/hooks", ".devcontainer" }
-- name -> the folder it has to be in, if any
local TOOL_NAMES = { [".mcp.json"] = "", ["opencode.json"] = "", ["devcontainer.json"] = "",
  ["settings.json"] = { ".claude", ".gemini" }, ["settings.local.json"] = { ".claude" }, ["config.toml"] = { ".codex" },
  ["tasks.json"] = { ".vscode" }, ["launch.json"] = { ".vscode" } }

local function hooks(d)
  local low = lower(d.name)
  if HOOK_NAMES[low] or in_any(d, HOOK_DIRS) or (GIT_HOOKS[low] and has_dir(d.path, "hooks")) then
    return "hook that runs on its own"
  end
  local home = TOOL_NAMES[low]
  if home == "" or (home and in_any(d, home)) or in_any(d, TOOL_DIRS) then
    return "what tools and agents may run on their own"
  end
end

local function license(d)
  local low = lower(d.name)
  if find(lower(d.path), "^licenses/") then return "license" end
  local stem = match(low, "^(%l+)")
  if (stem == "license" or stem == "licence" or stem == "copying" or stem == "unlicense" or stem == "patents")
    and (low == stem or d.kind == "docs" or (d.kind ~= "code" and d.kind ~= "config" and find(low, "^%l+[-.]"))) then
    return "license"
  end
end

local AUTH = set [[auth authn authz authentication authorization authenticator authorizer authenticate authorize oauth
  oauth2 oidc openid saml sso login signin logout password passwords passwd credential credentials permission
  permissions
  rbac acl acls jwt jwts crypto cryptography encryption encrypt encryptor decrypt decryption cipher ciphers keychain
  keystore keyring csrf xsrf cors mfa totp sudoers iam privilege privileges webauthn passkey passkeys ldap kerberos tls
  ssl x509 security secrets codeowners]]
local LOCALES = { "locales", "locale", "i18n", "lang", "translations", "l10n" }
local NO_LOGIC = set "css html template"

-- Words that mean it in a file's own name; a folder of roles may be anything.
local AUTH_NAME = set "role roles acls rbac abac"
local ACCESS_NAMES = set [[sudoers doas.conf authorized_keys authorized_keys2 ssh_config sshd_config pam.conf .htaccess
  .rhosts hosts.allow hosts.deny access.conf login.defs]]
local ACCESS_DIRS = { "pam.d", "sudoers.d", ".ssh", "polkit-1", "sshd_config.d", "ssh_config.d" }

local function auth(d)
  local low = lower(d.name)
  if low == "codeowners" then return "who must review" end
  if ACCESS_NAMES[low] or in_any(d, ACCESS_DIRS) or d.ext == "rego" then
    return "authentication, permissions or cryptography"
  end
  if (d.kind ~= "code" and d.kind ~= "config") or d.generated or NO_LOGIC[d.language or ""] then return nil end
  if in_any(d, LOCALES) then return nil end
  local words = paths.words_of(d)
  for word in pairs(words) do
    if AUTH[word] then return "authentication, permissions or cryptography" end
  end
  for word in pairs(paths.words(match(d.name, "^(.*)%.[^.]*$") or d.name)) do
    if AUTH_NAME[word] then return "authentication, permissions or cryptography" end
  end
  if words.access and words.control then return "authentication, permissions or cryptography" end
end

local MIGRATION_WORDS = set "migration migrations migrate migrator alembic flyway liquibase"
local CHANGELOG_EXT = set "xml yaml yml json sql"
local SCHEMA_NAMES = set "schema.rb structure.sql schema.sql schema.prisma init.sql schema.ddl"

local function migration(d)
  local low = lower(d.name)
  if SCHEMA_NAMES[low] or d.language == "prisma" or find(low, "^v%d[%d_.]*__.*%.sql$") or d.ext == "ddl" then
    return "database schema or migration"
  end
  if (d.kind == "code" or d.kind == "config") and CHANGELOG_EXT[d.ext] then
    local path = "/" .. lower(d.path)
    if find(path, "[/._-]db[/._-][^/]*changelog") or find(path, "/database/[^/]*changelog")
      or find(path, "/db/[^/]*changelogs?/") or find(path, "/changelogs?/db[/._-]") then
      return "database schema or migration"
    end
  end
  if d.kind == "code" or d.kind == "config" then
    local words = paths.words_of(d)
    for word in pairs(words) do
      if MIGRATION_WORDS[word] then return "database schema or migration" end
    end
  end
end

local SOURCES = set [[.npmrc .yarnrc .yarnrc.yml pip.conf nuget.config gradle-wrapper.properties gradle-wrapper.jar
  .bazelrc .pnpmfile.cjs maven-wrapper.properties]]

local SOURCE_DIRS = { ".cargo", ".mvn" }

local function sources(d)
  local low = lower(d.name)
  if SOURCES[low] or in_any(d, SOURCE_DIRS) then
    return "where dependencies come from"
  end
end

---Instructions that agents read, beside skills.
---@param path string
---@return boolean
function M.agent_text(path)
  local low = lower(path)
  return find(low, "^%.claude/commands/") ~= nil or find(low, "^%.claude/agents/") ~= nil
    or find(low, "^%.codex/prompts/") ~= nil or find(low, "^%.gemini/commands/") ~= nil
    or find(low, "^%.cursor/rules/") ~= nil or find(low, "^%.opencode/") ~= nil
    or find(low, "^%.github/prompts/") ~= nil
end

---The reasons that a path's name alone gives for the Risk Path.
---@param d moonlet.paths.Description
---@return string[]
function M.of_name(d)
  local reasons = {}
  local function add(reason)
    if reason then reasons[#reasons + 1] = reason end
  end
  add(license(d))
  if d.kind == "docs" or d.kind == "asset" or M.agent_text(d.path) then return reasons end
  add(ci(d))
  add(hooks(d))
  if d.test or d.fixture then return reasons end
  add(sources(d))
  add(infrastructure(d))
  if #reasons == 0 then add(auth(d)) end
  if #reasons == 0 then add(migration(d)) end
  return reasons
end

-- Calls and settings that decide who may do what; matched against changed lines in lower case.
local SIGNALS = { "verify=false", "insecureskipverify", "rejectunauthorized", "check_password", "verify_password",
  "checkpassword", "set_password", "bcrypt", "scrypt(", "argon2", "pbkdf2", "hmac.new", "createhmac", "createcipher",
  "jwt.sign", "jwt.verify", "jwt.decode", "jwt.encode", "login_required", "permission_required", "@preauthorize",
  "@rolesallowed", "has_permission", "haspermission", "check_permission", "checkpermission", "permission_classes",
  "csrf_exempt", "allowany", "seteuid(", "setuid(", "chmod 777", "0o777", "access-control-allow-origin", "aes.new",
  "cipher.getinstance", "evp_encrypt", "evp_decrypt", "ssl_ctx_", "is_superuser", "authenticate(", "authorize(",
  "isauthenticated", "is_authenticated", "isadmin", "is_admin", "hasrole", "has_role", "hasanyrole",
  "has_any_role", "requirerole", "require_role", "requiresrole", "hasauthority", "is_staff", "canaccess", "can_access",
  "hasaccess", "has_access", "checkaccess", "check_access", "row level security", "grant all", "nopasswd" }

local function is_comment(text)
  return find(text, "^%s*[#*]") or find(text, "^%s*//") or find(text, "^%s*%-%-")
end

---Whether a changed line decides about access, in a file whose name does not say so.
---@param text string
---@return boolean
function M.access_line(text)
  if #text > 2000 then text = sub(text, 1, 2000) end
  local low = lower(text)
  for i = 1, #SIGNALS do
    if find(low, SIGNALS[i], 1, true) then return not is_comment(text) end
  end
  return false
end

---Whether a changed line of SQL changes a schema or rewrites data.
---@param text string
---@return boolean
function M.schema_line(text)
  local low = lower(match(text, "^%s*(.-)$") or "")
  return find(low, "^create ") ~= nil or find(low, "^alter ") ~= nil or find(low, "^drop ") ~= nil
    or find(low, "^truncate ") ~= nil or find(low, "^rename ") ~= nil or find(low, "^delete from ") ~= nil
    or find(low, "^update ") ~= nil or find(low, "^grant ") ~= nil or find(low, "^revoke ") ~= nil
end

---Whether text opens or is a part of a Liquibase changelog, which rewrites databases.
---@param text string
---@return boolean
function M.changelog_line(text)
  local low = lower(match(sub(text, 1, 400), "^%s*(.-)$"))
  return find(low, "<databasechangelog", 1, true) ~= nil or find(low, '^[{%s]*"?databasechangelog"?%s*:') ~= nil
    or find(low, "^<changeset%s") ~= nil or find(low, '^[-%s{]*"?changeset"?%s*:') ~= nil
    or find(low, "^%-%-%s*liquibase formatted") ~= nil or find(low, "^%-%-%s*changeset ") ~= nil
end

---Whether a changed line of package.json runs something when packages are installed.
---@param text string
---@return boolean
function M.install_script(text)
  return find(text, '^%s*"p?r?e?p?o?s?t?install"%s*:') ~= nil or find(text, '^%s*"prepare"%s*:') ~= nil
end

return M
