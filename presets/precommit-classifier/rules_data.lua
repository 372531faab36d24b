--- The names of files, folders and words that the rules go by.
local set = require("moonlet.text").set

return {
  m = {},
  ci_names = set [[.gitlab-ci.yml jenkinsfile azure-pipelines.yml azure-pipelines.yaml .travis.yml appveyor.yml
    .appveyor.yml .drone.yml bitbucket-pipelines.yml cloudbuild.yaml cloudbuild.yml .goreleaser.yml .goreleaser.yaml
    .cirrus.yml codemagic.yaml buildspec.yml .woodpecker.yml release.config.js release.config.cjs release.config.mjs
    .releaserc .releaserc.json .releaserc.yml .releaserc.js release-please-config.json wercker.yml netlify.toml
    vercel.json fastfile dangerfile .release-it.json lerna-publish.json action.yml action.yaml renovate.json
    renovate.json5 .renovaterc .renovaterc.json .buildkite.yml .cirrus.star .semaphore.yml]],
  github_names = set "dependabot.yml dependabot.yaml release.yml release.yaml release-drafter.yml labeler.yml",
  ci_dirs = { ".github/workflows", ".github/actions", ".circleci", ".buildkite", ".tekton", ".woodpecker",
    ".gitlab/ci", ".ci", "fastlane", ".azure-pipelines", ".semaphore", ".changeset/config",
    ".appveyor", ".teamcity", ".jenkins", ".drone", ".travis", ".builds", ".concourse", ".forgejo/workflows",
    ".gitea/workflows" },
  -- Places at which a folder called ci is that of the project, not a module of the product.
  ci_paths = { "^ci/", "^jenkins/", "^scripts?/ci/", "^tools?/ci/", "^build/ci/", "^etc/ci/", "^%.?github/ci/" },
  release = set "release releases deploy deployment publish rollout rollback promote",
  script_dirs = set "scripts script bin tools ci build hack ops deploy release .ci",
  infra_names = set [[docker-compose.yml docker-compose.yaml compose.yml compose.yaml procfile fly.toml app.yaml
    vagrantfile skaffold.yaml skaffold.yml tiltfile kustomization.yaml kustomization.yml chart.yaml serverless.yml
    serverless.yaml nginx.conf cdk.json pulumi.yaml samconfig.toml template.yaml render.yaml terragrunt.hcl
    ansible.cfg caddyfile haproxy.cfg dockerfile containerfile wrangler.toml helmfile.yaml]],
  infra_dirs = { "k8s", "kubernetes", "helm", "charts", "terraform", "ansible", "kustomize", "cloudformation",
    "argocd", "infra", "infrastructure" },
  infra_ext = set "tf tfvars hcl service socket timer",
  git_hooks = set [[pre-commit pre-push commit-msg prepare-commit-msg post-commit post-merge post-checkout
    pre-rebase post-rewrite pre-receive post-receive update pre-merge-commit applypatch-msg pre-applypatch]],
  hook_dirs = { ".husky", ".githooks", ".git-hooks", "git-hooks" },
  hook_names = set [[.pre-commit-config.yaml .pre-commit-hooks.yaml .overcommit.yml lefthook.yml lefthook.yaml
    .lefthook.yml .lefthook.yaml .lintstagedrc .lintstagedrc.json lint-staged.config.js lint-staged.config.mjs]],
  tool_dirs = { ".claude/hooks", ".devcontainer" },
  -- name -> the folder it has to be in, if any
  tool_names = { [".mcp.json"] = "", ["opencode.json"] = "", ["devcontainer.json"] = "",
    ["settings.json"] = { ".claude", ".gemini" }, ["settings.local.json"] = { ".claude" },
    ["config.toml"] = { ".codex" },
    ["tasks.json"] = { ".vscode" }, ["launch.json"] = { ".vscode" } },
  auth = set [[auth authn authz authentication authorization authenticator authorizer authenticate authorize oauth
    oauth2 oidc openid saml sso login signin logout password passwords passwd credential credentials permission
    permissions rbac acl acls jwt jwts crypto cryptography encryption encrypt encryptor decrypt decryption cipher
    ciphers keychain keystore keyring csrf xsrf cors mfa totp sudoers iam privilege privileges webauthn passkey
    passkeys ldap kerberos tls ssl x509 security secrets codeowners]],
  locales = { "locales", "locale", "i18n", "lang", "translations", "l10n" },
  no_logic = set "css html template",
  -- Words that mean it in a file's own name; a folder of roles may be anything.
  auth_name = set "role roles acls rbac abac",
  access_names = set [[sudoers doas.conf authorized_keys authorized_keys2 ssh_config sshd_config pam.conf .htaccess
    .rhosts hosts.allow hosts.deny access.conf login.defs]],
  access_dirs = { "pam.d", "sudoers.d", ".ssh", "polkit-1", "sshd_config.d", "ssh_config.d" },
  migration_words = set "migration migrations migrate migrator alembic flyway liquibase",
  changelog_ext = set "xml yaml yml json sql",
  schema_names = set "schema.rb structure.sql schema.sql schema.prisma init.sql schema.ddl",
  sources = set [[.npmrc .yarnrc .yarnrc.yml pip.conf nuget.config gradle-wrapper.properties gradle-wrapper.jar
    .bazelrc .pnpmfile.cjs maven-wrapper.properties]],
  source_dirs = { ".cargo", ".mvn" },
  -- Calls and settings about access; matched against changed lines in lower case.
  signals = { "verify=false", "insecureskipverify", "rejectunauthorized", "check_password", "verify_password",
    "checkpassword", "set_password", "bcrypt", "scrypt(", "argon2", "pbkdf2", "hmac.new", "createhmac", "createcipher",
    "jwt.sign", "jwt.verify", "jwt.decode", "jwt.encode", "login_required", "permission_required", "@preauthorize",
    "@rolesallowed", "has_permission", "haspermission", "check_permission", "checkpermission", "permission_classes",
    "csrf_exempt", "allowany", "seteuid(", "setuid(", "chmod 777", "0o777", "access-control-allow-origin", "aes.new",
    "cipher.getinstance", "evp_encrypt", "evp_decrypt", "ssl_ctx_", "is_superuser", "authenticate(", "authorize(",
    "isauthenticated", "is_authenticated", "isadmin", "is_admin", "hasrole", "has_role", "hasanyrole",
    "has_any_role", "requirerole", "require_role", "requiresrole", "hasauthority", "is_staff", "canaccess",
    "can_access", "hasaccess", "has_access", "checkaccess", "check_access", "row level security", "grant all",
    "nopasswd" },
}
