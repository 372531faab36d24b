--- Classifies a failure that an agent or its provider reported, such as quota, rate or auth.
--- If an HTTP status was reported, the status decides. Otherwise the message is searched for
--- phrases that only providers and CLIs use, because the message may be a model's prose.
--- A wrong "quota" or "auth" would block every other call on the same account.
local M = {}

--- Reports whether `text` (lower case) contains one of the words.
function M.any(text, words)
  for _, word in ipairs(words) do
    if text:find(word, 1, true) then return true end
  end
  return false
end
local any = M.any

--- Lists phrases that mean that this machine's disk is full, rather than a limit of the provider.
local local_words = { "disk quota exceeded", "os error 122)", "edquot", "no space left on device",
  "os error 28)", "enospc" }

local context_words = { "context window", "context length", "context_length", "prompt is too long",
  "maximum context", "prompt_too_long", "too many tokens", "input is too long",
  "exceeds the maximum number of tokens", "input token count", "request too large",
  "request_too_large", "payload too large" }
local cut_words = { "max_output_tokens", "output token maximum", "output_token_limit",
  "reached max_tokens", "reason: max_tokens", "stop_reason: max_tokens" }
--- Lists phrases that always mean that the account's quota is exhausted.
local firm_quota_words = { "your usage limit", "usage limit reached",
  "usage limit has been reached", "usage limit exceeded", "usage_limit", "api usage limits",
  "insufficient_quota", "insufficient funds", "insufficient balance", "insufficient credits",
  "credit balance is", "out of credits", "out of extra usage", "hit your limit",
  "reached your limit", "billing_hard_limit", "billing hard limit", "billing_error",
  "billing_not_active", "payment required" }
--- Lists phrases for an exhausted quota that some providers also use for a short rate limit.
local soft_quota_words = { "quota exceeded", "quota_exceeded", "insufficient quota",
  "current quota", "your quota", "out of quota", "quota limit", "daily quota", "quota will reset",
  "quota has been", "quota is used up", "exhausted your capacity", "billing details",
  "spending limit", "spend limit" }
local used_up = { usage = true, hour = true, ["5-hour"] = true, daily = true, weekly = true,
  monthly = true, session = true, opus = true, sonnet = true, spending = true, spend = true,
  credit = true }
local day_words = { "perday", "per day", "daily limit", "weekly limit", "monthly limit" }
local minute_words = { "per minute", "perminute" }
local rate_words = { "rate limit", "rate_limit", "ratelimit", "rate-limit", "too many requests",
  "resource_exhausted", "resource has been exhausted", "throttled", "throttling" }
local auth_words = { "401 unauthorized", "not logged in", "please run /login", "invalid api key",
  "invalid x-api-key", "invalid_api_key", "incorrect api key", "api key not valid",
  "api_key_invalid", "api key expired", "authentication_error", "authentication_failed",
  "authentication failed", "authentication required", "authentication error",
  "failed to authenticate", "invalid authentication", "missing environment variable", "no api key",
  "api key is missing", "token expired", "expired token", "token has expired", "oauth token",
  "oauth authentication", "invalid auth method", "please log in", "login required", "log in again",
  "not authenticated", "unauthenticated", "invalid bearer token",
  "could not load the default credentials", "set an auth method" }
--- Lists phrases with which a CLI reports a missing login, before it contacts a provider.
local setup_words = { "invalid auth method", "set an auth method", "missing environment variable",
  "no api key", "api key is missing", "could not load the default credentials" }
local network_words = { "stream disconnected", "connection failed", "connection refused",
  "connectionrefused", "connection reset", "connection closed", "connection error",
  "connection timed out", "unable to connect", "error sending request", "lookup address",
  "name does not resolve", "enotfound", "econnrefused", "econnreset", "eai_again", "etimedout",
  "epipe", "socket hang up", "fetch failed", "network error", "network is unreachable",
  "network connection", "network request", "network timeout", "waiting for network", "high demand",
  "overloaded", "is at capacity", "internal server error", "bad gateway", "service unavailable",
  "gateway timeout", "server error", "server_error", "server-side issue", "temporarily unavailable",
  "timed out", "tls handshake", "certificate verify", "certificate has expired",
  "signed certificate", "issuer certificate", "peer certificate", "first certificate",
  "cannot connect" }
local refused_words = { "content policy", "usage policy", "safety", "flagged",
  "invalid_prompt", "refusal", "refused to", "content_filter", "blocked", "invalid_request",
  "not supported", "unsupported", "model not found", "model_not_found", "does not exist",
  "unknown model", "permission_denied", "forbidden", "not found" }
--- Lists phrases for quota and login errors that some providers send with status 400.
local quota_of_400 = { "credit balance is too low", "api usage limits", "insufficient_quota",
  "billing_hard_limit", "billing hard limit", "billing_not_active" }
local auth_of_400 = { "api key not valid", "api_key_invalid", "invalid api key", "api key expired",
  "invalid_api_key" }
local refused_of_403 = { "content policy", "usage policy", "flagged", "moderation" }

--- These error codes decide the class. For any other code the message is searched for words.
local code_classes = { insufficient_quota = "quota", billing_error = "quota",
  usage_limit_reached = "quota", authentication_failed = "auth", authentication_error = "auth",
  invalid_api_key = "auth", context_length_exceeded = "context", rate_limit_exceeded = "rate",
  overloaded_error = "network" }

function M.status_in(text)
  local lower = text:lower()
  for _, pattern in ipairs { "status:? ([45]%d%d)%f[%D]", "status code:? ([45]%d%d)%f[%D]",
    "api error:? ([45]%d%d)%f[%D]", "error ([45]%d%d)%f[%D]", "error code: ([45]%d%d)%f[%D]",
    "%(([45]%d%d)%)", '"code":%s*([45]%d%d)%f[%D]', "http ([45]%d%d)%f[%D]",
    '"status":%s*([45]%d%d)%f[%D]', "statuscode\"?[:=]%s*([45]%d%d)%f[%D]" } do
    local found = lower:match(pattern)
    if found then return tonumber(found) end
  end
  return nil
end

function M.is_local(message) return any(message:sub(1, 8000):lower(), local_words) end

--- Reports whether a login is missing on this machine: a provider's refusal would have a status.
function M.is_setup(message)
  return not M.status_in(message) and any(message:sub(1, 8000):lower(), setup_words)
end

--- Reports whether a text names an exhausted limit, such as "hit your weekly limit".
local function names_a_limit(text)
  for _, verb in ipairs { "hit", "reached", "exceeded" } do
    local of = text:match("%f[%a]" .. verb .. " your ([^\n.]-)limit")
    if of and #of <= 40 and not of:find("rate", 1, true) then return true end
  end
  for word in text:gmatch("%f[%w-]([%w-]+) limit reached") do
    if used_up[word] then return true end
  end
  return false
end

--- Returns "quota" or "rate" if a text says that a limit is exhausted, else nil.
local function limit_of(text, waits)
  if any(text, firm_quota_words) or names_a_limit(text) then return "quota" end
  if not any(text, soft_quota_words) then return nil end
  if any(text, day_words) then return "quota" end
  local soft = any(text, rate_words) or any(text, minute_words)
    or waits and waits > 0 and waits <= 300000
  return soft and "rate" or "quota"
end

local function of_status(status, text, waits)
  if status == 402 then return "quota" end
  if status == 413 then return "context" end
  if status == 401 then return "auth" end
  if status == 403 then
    return any(text, refused_of_403) and "refused" or limit_of(text, waits) == "quota"
      and "quota" or "auth"
  end
  if status == 408 or status >= 500 then return "network" end
  if any(text, context_words) then return "context" end
  if status == 429 then return limit_of(text, waits) or "rate" end
  if status == 400 and any(text, quota_of_400) then return "quota" end
  if status == 400 and any(text, auth_of_400) then return "auth" end
  return "refused"
end

local function of_words(text, waits)
  if any(text, context_words) then return "context" end
  if any(text, cut_words) then return "invalid-output" end
  local limit = limit_of(text, waits)
  if limit then return limit end
  if any(text, rate_words) then return "rate" end
  if any(text, auth_words) or text:find("^%s*unauthorized") then return "auth" end
  if any(text, network_words) then return "network" end
  if any(text, refused_words) then return "refused" end
  return nil
end

--- Returns the class of a failure that an agent reported, or nil if the class is not recognised.
---@param status integer?   the HTTP status, if it was reported separately
---@param code string?      an error code such as "rate_limit" or "insufficient_quota"
---@param waits integer?    the reported delay in ms before a retry
function M.classify(message, status, code, waits)
  -- For each status 429, Claude reports the code "rate_limit" and the text "request rejected".
  if code == "rate_limit" and (not status or status == 429) then code, status = nil, 429 end
  if M.is_local(message) and not status then return nil end
  if code and code_classes[code:lower()] then return code_classes[code:lower()] end
  local text = ((code or "") .. " " .. message:sub(1,
    8000)):lower():gsub("request rejected %(429%)", "status 429")
  text = text:gsub("rate[ _-]limit reached", "rate limit")  -- a rate limit is not a quota
  status = status or M.status_in(message)
  if status then return of_status(status, text, waits) end
  return of_words(text, waits)
end

return M
