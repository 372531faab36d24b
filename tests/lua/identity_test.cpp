// Tests how a resumed run recognizes inputs and recorded values that contain secrets.
// tests/e2e/resume/resume-environment tests whole runs.
#include "tests/catch.h"
#include "tests/lua/fixture.h"

using namespace moonlet;

namespace {

// Defines input(prompt) and returns everything that the journal records of it. The environment may
// hold API_TOKEN.
const std::string kIdentity = R"(
  local identity = require "moonlet.engine.journal.input_hash"
  local unkept = require "moonlet.engine.journal.redactions"
  local values = require "moonlet.engine.journal.values"
  core.secret.key = function() return "key" end
  core.run.redact = function(text) return (core.secret.hide(text)) end
  local function old_hash(input) return core.text.sha256(core.json.encode(input)):sub(1, 32) end
  local function recorded(input)
    local journal = { raws = {}, unkept = unkept.new() }
    local hash = identity.of(journal, input)
    return { input_hash = hash, raw = journal.raws[hash] }
  end
  local function same(input, item) return identity.of({ raws = {}, unkept = unkept.new() }, input, item) == item.input_hash end
)";

std::string known(const std::string& text) {
  return LuaFixture({}, {"PATH=/usr/bin:/bin", "API_TOKEN=tok-8f3a99c2d1e0"}).run(kIdentity + text);
}

std::string unknown(const std::string& text) { return LuaFixture().run(kIdentity + text); }

std::string input(const std::string& value) {
  return "{ verb = 'agent', prompt = 'a " + value + "', argv = { 'b', '" + value +
         "' }, stdin = '" + value + "' }";
}

std::string record(std::string told) {
  const auto comma = told.find(',');
  return "{ input_hash = '" + told.substr(0, comma) + "', raw = ('" + told.substr(comma + 1) +
         "'):match '^k.*' }";
}

const std::string kSecret = "tok-8f3a99c2d1e0", kName = "[redacted:API_TOKEN]";

}  // namespace

TEST_CASE("an input is the same whether its secrets are known or only their names") {
  const auto told = [](const std::string& value) {
    return "local item = recorded(" + input(value) + ") return item.input_hash, tostring(item.raw)";
  };
  const std::string with = record(known(told(kSecret))), without = record(unknown(told(kSecret)));
  for (const std::string& item : {with, without}) {
    CHECK(known("return same(" + input(kSecret) + ", " + item + ")") == "true");
    CHECK(unknown("return same(" + input(kSecret) + ", " + item + ")") == "true");
    CHECK(known("return same(" + input("another") + ", " + item + ")") == "false");
    CHECK(unknown("return same(" + input("another") + ", " + item + ")") == "false");
  }
  CHECK(known("return same(" + input(kName) + ", " + with + ")") == "true");
  CHECK(unknown("return same(" + input(kName) + ", " + with + ")") == "true");
}

TEST_CASE("an input without a secret has no key and keeps its hash") {
  CHECK(known("core.secret.key = nil local item = recorded { verb = 'exec', argv = { 'a' } } "
              "return item.raw, item.input_hash == old_hash { verb = 'exec', argv = { 'a' } }") ==
        "nil,true");
}

TEST_CASE("journals from before there were keys are understood") {
  CHECK(known("local redacted = { verb = 'agent', prompt = '" + kName + "', argv = { '" + kSecret +
              "' } }" + "return same({ verb = 'agent', prompt = '" + kSecret + "', argv = { '" +
              kSecret + "' } }, { input_hash = old_hash(redacted) }), " +
              "same({ verb = 'exec', argv = { '" + kSecret +
              "' } }, { input_hash = old_hash { verb = 'exec', argv = { '" + kSecret +
              "' } } }), values.is('a " + kSecret + "', core.text.sha256 '\"a " + kName + "\"')") ==
        "true,true,true");
}

TEST_CASE("a value is given again where its secrets are those of then") {
  const std::string put = R"(
    local value = { text = "me tok-8f3a99c2d1e0 \255", list = { "dG9rLThmM2E5OWMyZDFlMA==" } }
    local item = {}
    identity.put({ unkept = unkept.new() }, item, value, value, false)
    item.result = core.json.decode((core.secret.hide(core.json.encode(item.result))))
    local function again()
      local got = identity.restored(item)
      return got and got.text == value.text and got.list[1] == value.list[1]
    end
  )";
  CHECK(known(put + "return again(), core.json.encode(item):find('tok-', 1, true)") == "true,nil");
  CHECK(known(put + "item.whole = 'keyed:0' return again()") == "nil");
  CHECK(known(put + "item.result.list[1] = 'other' return again()") == "nil");
  CHECK(known(put + "core.secret.restore = function() end return again()") == "nil");
}

TEST_CASE("a part that is not kept stands as its name in derived texts") {
  CHECK(unknown(R"(
    local list, key = unkept.new(), "ghp_a8Xk2LmQ94"
    local function text(secret) return 'a = "' .. secret .. '"\nb = 1\n' .. secret .. "\tc" end
    unkept.learn(list, { text = text(key), same = "x" }, { text = text "[redacted: token]", redacted = true })
    local function hidden(value) return unkept.hide(list, core.json.encode(value), true) end
    return unkept.hide(list, text(key)) == text "[redacted: token]",
      hidden { text(key) } == hidden { text "[redacted: token]" },
      hidden { text(key):sub(1, 25) } == hidden { text "[redacted: token]":sub(1, 28) },
      hidden { "other" } == core.json.encode { "other" })") == "true,true,true,true");
}

TEST_CASE("short pieces that are not kept stand for nothing by themselves") {
  CHECK(unknown(R"(
    local list, whole = unkept.new(), "-----BEGIN KEY-----\nx9Kf\n"
    unkept.learn(list, whole, "[redacted: key]\n[redacted]\n")
    return unkept.hide(list, "x9Kf"), unkept.hide(list, "a " .. whole) == "a [redacted: key]\n[redacted]\n")") ==
        "x9Kf,true");
}

TEST_CASE("a name with a secret has one stand-in whatever the environment has by then") {
  const std::string names = R"(
    local noted = {}
    core.journal = { note = function(text) noted[#noted + 1] = core.json.decode(text) end }
    local journal = { stand_ins = identity.stand_ins() }
    local function name(text) return identity.name(journal, text) end
  )";
  CHECK(known(names + R"(
    local first, other = name "to tok-8f3a99c2d1e0", name "to dG9rLThmM2E5OWMyZDFlMA=="
    return first, other, name "to tok-8f3a99c2d1e0" == first, name "plain", #noted)") ==
        "to [redacted:API_TOKEN],to [redacted:API_TOKEN]~2,true,plain,2");
  CHECK(unknown(names + R"(
    identity.read_name(journal, { stand_in = "to [redacted:API_TOKEN]", raw = values.keyed "to tok-8f3a99c2d1e0" })
    return name "to tok-8f3a99c2d1e0", name "plain", #noted)") ==
        "to [redacted:API_TOKEN],plain,0");
}
