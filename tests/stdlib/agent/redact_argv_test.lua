local credentials = require "moonlet.engine.agent.redact_argv"

local function line(...) return table.concat(credentials.masked { ... }, " ") end
local planted = "planted-0123456789abcdef"
for _, given in ipairs { { "-c", "x.api_key=" .. planted }, { "--header", "Authorization: Bearer " .. planted }, { "--api-key", planted },
  { "--token=" .. planted }, { "OPENAI_API_KEY=" .. planted },
  { "-c", 'model_providers.p={name="p",experimental_bearer_token="' .. planted .. '"}' } } do
  local shown = line(table.unpack(given))
  is(shown:find("planted", 1, true), nil, "left out of: " .. shown)
  holds(shown, "redacted", "and said")
end
is(line("-c", "base_url=https://h/?token=" .. planted):find("planted", 1, true), nil, "within what is given to another name")
-- Masking takes linear time, because some programs get the prompt as an argument.
for _, piece in ipairs { "qujd", " ", "=", "a=", "a ", "bearer ", "-", "key=", "\0", "\xff", '"' } do
  is(line(piece:rep(120000 // #piece)):find("[redacted]", 1, true), nil, "a long argument of " .. piece)
end
local long = ("qujd"):rep(30000)
is(line(long .. " --token=" .. planted), long .. " --token=" .. credentials.mark, "after a long word")
-- Words that only resemble a credential are not masked.
for _, word in ipairs { 'model_providers.l={name="l",base_url="http://127.0.0.1:1/v1",env_key="LOCAL_API_KEY"}', "max_tokens=200000",
  "model_auto_compact_token_limit=200000", "--key", "token_file=/home/u/token", "-s", "read-only", "shell_environment_policy.exclude=[]" } do
  is(line(word), word, word)
end
is(line("--key", "short"), "--key short", "a short value")

-- A resumed run restores credentials from the current config.
local now = { codex = { args = { "--token", planted }, model = "m" } }
local kept = credentials.of_runners(now)
is(now.codex.args[2], planted, "the config itself is left alone")
is(credentials.restored(kept, now).codex.args[2], planted, "restored")
is(credentials.restored(kept, { codex = { args = { "--other" } } }).codex.args[2], credentials.mark, "of another config nothing")
is(credentials.restored(kept, {}).codex.model, "m", "the rest is as it was")
